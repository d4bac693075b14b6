import { SconceError } from '../../errors/sconce-error.js';
import type { Route, RouteParams } from '../route.js';
import type { InferencePort } from '../torchserve-rest/inference-port.js';
import type { Predict } from '../torchserve-rest/predict.js';
import { infer } from './infer.js';
import { modelMetadata } from './model-metadata.js';
import { OpenInferenceReply } from './open-inference-reply.js';

export interface OpenInferenceOptions {
  readonly predict: Predict;
  readonly gate: InferencePort;
  /** What the server says its version is. */
  readonly version: string;
}

/** How KServe's clients know the binary tensor extension: by Triton's name. */
const EXTENSIONS = ['binary_tensor_data'];

/** The Open Inference Protocol (KServe v2) over REST, and KServe v1's list and readiness. TorchServe has of it what its `infer`, `/v2` and health paths are. */
export function openInferenceRoutes({ predict, gate, version: serverVersion }: OpenInferenceOptions): readonly Route[] {
  return [
    // The misspelt key is part of TorchServe's contract; the protocol's own stands beside it.
    route('any', '/v2', (_request, reply) =>
      reply.json(200, { name: 'Torchserve', version: serverVersion, extenstion: ['kserve', 'kubeflow'], extensions: EXTENSIONS }),
    ),
    route('any', '/v2/health/live', (_request, reply) => reply.json(200, { live: true })),
    route('any', '/v2/health/ready', (_request, reply) => {
      const ready = gate.ready();
      reply.json(statusOf(ready), { ready });
    }),
    ...['/v2/models/:model', '/v2/models/:model/versions/:version'].flatMap((pattern) => [
      route(['GET'], pattern, (request, reply, params) => reply.json(200, modelMetadata(gate.metadata(request.principal, ...meant(params))))),
      route(['GET'], `${pattern}/ready`, (request, reply, params) => {
        const { name, loaded: ready } = gate.metadata(request.principal, ...meant(params));
        reply.json(statusOf(ready), { name, ready });
      }),
      route('any', `${pattern}/infer`, (request, reply, params) => infer({ predict, gate }, meant(params), 'predict', request, reply)),
      route('any', `${pattern}/explain`, (request, reply, params) => infer({ predict, gate }, meant(params), 'explain', request, reply)),
    ]),
    route(['GET'], '/v1/models', (request, reply) => reply.json(200, { models: gate.modelNames(request.principal) })),
    route(['GET'], '/v1/models/:model', (request, reply, params) => {
      const { name, loaded: ready } = gate.metadata(request.principal, ...meant(params));
      reply.json(statusOf(ready), { name, ready });
    }),
  ];
}

/** Readiness is told by the status: probes read no body. */
function statusOf(ready: boolean): number {
  return ready ? 200 : 503;
}

/** The name ends at the first colon, as on TorchServe's KServe paths. */
function meant(params: RouteParams): readonly [model: string, version: string | undefined] {
  const [model = ''] = params.get('model').split(':', 1);
  return [model, params.find('version')];
}

function route(methods: Route['methods'], pattern: string, handle: Route['handle']): Route {
  return {
    connector: 'inference',
    methods,
    pattern,
    scope: 'infer',
    handle: async (request, plain, params) => {
      const reply = new OpenInferenceReply(plain);
      try {
        await handle(request, reply, params);
      } catch (error) {
        if (!(error instanceof SconceError) || reply.begun) throw error;
        reply.fail(error);
      }
    },
  };
}
