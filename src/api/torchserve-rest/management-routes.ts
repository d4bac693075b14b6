import type { InferenceGate } from '../../admission/inference-gate.js';
import type { KeyRotation } from '../../admission/key-rotation.js';
import type { ManagementGate } from '../../admission/management-gate.js';
import type { ServableModel } from '../../inference/servable-model.js';
import type { HttpReply } from '../http-exchange.js';
import { prettyJson } from '../render-error.js';
import type { Route } from '../route.js';
import { describeCustomized, type HandlerDescription } from './customized-describe.js';
import { describedVersion } from './describe.js';
import { listPage } from './list.js';
import { modelManagementDocument } from './openapi/model-documents.js';
import { register } from './register.js';
import { scale } from './scale.js';
import { WishParameters } from './wish-parameters.js';

export interface ManagementApiOptions {
  readonly gate: ManagementGate;
  readonly inference: InferenceGate;
  /** undefined: tokens are off, and there is no `/token`. */
  readonly keys: KeyRotation | undefined;
  /** Reads worker memory anew before it is shown. */
  readonly refreshMemory: () => Promise<void>;
  readonly version: string;
  /** What a model consists of, as CycloneDX. */
  readonly billOfMaterials: (model: ServableModel) => Promise<unknown>;
}

/** All paths of the REST management API, apart from its description. */
export function managementRoutes({ gate, inference, keys, refreshMemory, version: serverVersion, billOfMaterials }: ManagementApiOptions): readonly Route[] {
  const manage = { connector: 'management', scope: 'manage' } as const;

  const describe: Route['handle'] = async (request, reply, params) => {
    const { segments } = request;
    const model = params.get('model');
    const version = segments.length === 3 ? params.get('version') : undefined;
    gate.describe(request, model, version === 'all' ? undefined : version);
    await refreshMemory();
    const withSandbox = WishParameters.ofQuery(request).boolean('sandbox', false);
    if (version === 'all') {
      return reply.json(
        200,
        gate.describeAll(request, model).map((one) => describedVersion(one, withSandbox)),
      );
    }
    const found = gate.describe(request, model, version);
    if (WishParameters.ofQuery(request).boolean('customized', false)) {
      return sendDescription(reply, await describeCustomized(inference, request, found, version));
    }
    reply.json(200, [describedVersion(found, withSandbox)]);
  };
  const unregister: Route['handle'] = async (request, reply, params) => {
    const model = params.get('model');
    await gate.unregister(request, model, params.find('version'));
    reply.json(200, { status: `Model "${model}" unregistered` });
  };
  const scaleModel: Route['handle'] = (request, reply, params) => scale(gate, request, reply, params.get('model'), params.find('version'));
  const options: Route['handle'] = (request, reply, params) => {
    const model = params.get('model');
    gate.describe(request, model, params.find('version'));
    reply.json(200, modelManagementDocument(model, serverVersion));
  };
  const ofModel = ['/models/:model', '/models/:model/:version'].flatMap((pattern): Route[] => [
    { ...manage, methods: ['GET'], pattern, handle: describe },
    { ...manage, methods: ['PUT'], pattern, handle: scaleModel },
    { ...manage, methods: ['DELETE'], pattern, handle: unregister },
    { ...manage, methods: ['OPTIONS'], pattern, handle: options },
  ]);
  return [
    { ...manage, methods: ['GET'], pattern: '/models', handle: (request, reply) => reply.json(200, listPage(request, gate.list(request))) },
    { ...manage, methods: ['POST'], pattern: '/models', handle: (request, reply) => register(gate, request, reply) },
    ...ofModel,
    {
      ...manage,
      methods: ['PUT'],
      pattern: '/models/:model/:version/set-default',
      handle: (request, reply, params) => {
        const [model, version] = [params.get('model'), params.get('version')];
        gate.setDefault(request, model, version);
        reply.json(200, { status: `Default version successfully updated for model "${model}" to "${version}"` });
      },
    },
    {
      ...manage,
      methods: ['GET'],
      pattern: '/models/:model/:version/scan',
      handle: (request, reply, params) => reply.json(200, gate.scanReport(request, params.get('model'), params.get('version'))),
    },
    // Describes the default version, whatever version the path names: an accident of TorchServe's that clients may have met.
    { ...manage, methods: ['GET'], pattern: '/models/:model/:version/set-default', handle: describe },
    {
      ...manage,
      methods: ['GET'],
      pattern: '/v1/models/:model',
      handle: (request, reply, params) => {
        const name = params.get('model').split(':')[0] ?? '';
        reply.json(200, { name, ready: gate.hasWorkers(request, name) });
      },
    },
    {
      ...manage,
      methods: ['GET'],
      pattern: '/models/:model/:version/sbom',
      handle: async (request, reply, params) => {
        const { model } = gate.describe(request, params.get('model'), params.get('version'));
        reply.send(200, prettyJson(await billOfMaterials(model)), [['content-type', 'application/vnd.cyclonedx+json; version=1.6']]);
      },
    },
    {
      ...manage,
      methods: ['GET'],
      pattern: '/sconce/crashes',
      handle: (request, reply) => {
        const wanted = request.query.get('model');
        reply.json(
          200,
          gate.crashes(request).filter((dossier) => wanted === null || dossier.model === wanted),
        );
      },
    },
    ...(keys === undefined ? [] : [tokenRoute(keys)]),
  ];
}

/** The handler's own head goes with it. */
function sendDescription(reply: HttpReply, { status, reason, headers, description }: HandlerDescription): void {
  const hasType = headers.some(([name]) => name.toLowerCase() === 'content-type');
  reply.send(status, prettyJson([description]), hasType ? headers : [['content-type', 'application/json'], ...headers], reason);
}

/** Any method on /token renews a key. */
function tokenRoute(keys: KeyRotation): Route {
  return {
    connector: 'management',
    scope: 'token-admin',
    methods: 'any',
    pattern: '/token',
    handle: (request, reply) => {
      keys.rotate(request, request.query.get('type') ?? undefined);
      reply.send(200, '\n', [['content-type', 'application/json']]);
    },
  };
}
