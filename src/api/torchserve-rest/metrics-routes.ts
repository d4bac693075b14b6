import type { Route } from '../route.js';

const TEXT_FORMAT = 'text/plain; version=0.0.4; charset=utf-8';

/** The metrics page, under any method and with any segments after it, as TorchServe serves it. Open, as there. `caughtUp` resolves when the page may be written. */
export function metricsRoutes(render: (only: ReadonlySet<string> | undefined) => string, caughtUp: () => Promise<void>): readonly Route[] {
  const handle: Route['handle'] = async (request, reply) => {
    await caughtUp();
    const names = request.query.getAll('name[]');
    reply.send(200, render(names.length === 0 ? undefined : new Set(names)), [['content-type', TEXT_FORMAT]]);
  };
  const route = { connector: 'metrics', methods: 'any', scope: 'open', handle } as const;
  return [
    { ...route, pattern: '/metrics' },
    { ...route, pattern: '/metrics/*' },
  ];
}
