import type { HttpReply } from '../http-exchange.js';
import type { Route } from '../route.js';
import type { InferencePort } from './inference-port.js';

/**
 * TorchServe's `/ping`, which needs the inference token and is healthy while models load, and Sconce's own `/live` and `/ready`, which need none:
 * `/ready` means that a prediction sent now will meet loaded models. All are answered at once.
 */
export function healthRoutes(gate: InferencePort, isDraining: () => boolean): readonly Route[] {
  const ping: Route['handle'] = ({ principal }, reply) =>
    gate.healthy(principal) ? reply.json(200, { status: 'Healthy' }) : reply.json(500, { status: 'Unhealthy' });
  const ready = (_request: unknown, reply: HttpReply): void => {
    if (gate.ready()) reply.json(200, { status: 'Ready' });
    else reply.json(503, { status: isDraining() ? 'Draining' : 'Loading' });
  };
  const common = { connector: 'inference', methods: 'any' } as const;
  return [
    { ...common, pattern: '/ping', scope: 'infer', handle: ping },
    { ...common, pattern: '/ping/*', scope: 'infer', handle: ping },
    { ...common, pattern: '/ready', scope: 'open', handle: ready },
    { ...common, pattern: '/live', scope: 'open', handle: (_request, reply) => reply.json(200, { status: 'Live' }) },
  ];
}
