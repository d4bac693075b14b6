import type { WorkflowGate, WorkflowWish } from '../../admission/workflow-gate.js';
import type { Log } from '../../observability/observer.js';
import type { HttpRequest } from '../http-exchange.js';
import type { Route } from '../route.js';
import { RestAnswer } from './answer.js';
import { page } from './list.js';
import { inputsOf } from './parameters.js';
import { RestInferenceRequest } from './predict.js';
import { WishParameters } from './wish-parameters.js';

export interface WorkflowApiOptions {
  readonly gate: WorkflowGate;
  readonly log: Log;
}

const DEFAULT_TIMEOUT_S = 120;

/** The paths of workflows on both APIs. TorchServe ignores what a path has behind the workflow's name. */
export function workflowRoutes(options: WorkflowApiOptions): readonly Route[] {
  return [...runRoutes(options), ...managementRoutes(options.gate)];
}

/** `/wfpredict` may be spelt in capitals. */
function runRoutes({ gate, log }: WorkflowApiOptions): readonly Route[] {
  const common = { connector: 'inference', methods: 'any', scope: 'infer' } as const;
  // Nodes are counted one by one, as TorchServe does; the whole is not.
  const witness = { observer: { inferenceAnswered: () => undefined }, log };
  const handle: Route['handle'] = (http, reply, params) => {
    const workflow = params.get('workflow');
    const inputs = inputsOf(http, false);
    gate.assertServed(http.principal, workflow);
    const request = new RestInferenceRequest(
      http,
      workflow,
      { model: workflow, version: undefined, purpose: 'predict', headers: [], queryIsInput: false },
      inputs,
    );
    gate.submit(request, new RestAnswer(request, reply, witness));
  };
  const fits = ([first = '']: readonly string[]) => first.toLowerCase() === 'wfpredict';
  return [
    { ...common, pattern: '/wfpredict/:workflow', handle },
    { ...common, pattern: '/wfpredict/:workflow/*', handle },
    { ...common, pattern: '/:wfpredict/:workflow', fits, handle },
    { ...common, pattern: '/:wfpredict/:workflow/*', fits, handle },
  ];
}

function managementRoutes(gate: WorkflowGate): readonly Route[] {
  const manage = { connector: 'management', scope: 'manage' } as const;
  const describe: Route['handle'] = (request, reply, params) => {
    const { name, url, minWorkers, maxWorkers, batchSize, maxBatchDelayMs, dag } = gate.describe(request, params.get('workflow'));
    reply.json(200, [{ workflowName: name, workflowUrl: url, minWorkers, maxWorkers, batchSize, maxBatchDelay: maxBatchDelayMs, workflowDag: dag }]);
  };
  const unregister: Route['handle'] = async (request, reply, params) => {
    const workflow = params.get('workflow');
    await gate.unregister(request, workflow);
    reply.json(200, { status: `Workflow "${workflow}" unregistered` });
  };
  const ofWorkflow = ['/workflows/:workflow', '/workflows/:workflow/*'].flatMap((pattern): Route[] => [
    { ...manage, methods: ['GET'], pattern, handle: describe },
    { ...manage, methods: ['DELETE'], pattern, handle: unregister },
  ]);
  return [
    {
      ...manage,
      methods: ['GET'],
      pattern: '/workflows',
      handle: (request, reply) => {
        const { items, nextPageToken } = page(request, gate.list(request));
        reply.json(200, { nextPageToken, workflows: items.map(({ name, url }) => ({ workflowName: name, workflowUrl: url })) });
      },
    },
    {
      ...manage,
      methods: ['POST'],
      pattern: '/workflows',
      handle: async (request, reply) => {
        const workflow = await gate.register(request, wishOf(request));
        reply.json(200, { status: `Workflow ${workflow} has been registered and scaled successfully.` });
      },
    },
    ...ofWorkflow,
  ];
}

/** Throws BadRequest without a url. A time-out that isn't there counts as TorchServe's default, in JSON too. */
function wishOf(request: HttpRequest): WorkflowWish {
  const given = WishParameters.of(request);
  const seconds = (name: string): number => {
    const value = given.integer(name);
    return value === undefined || value < 1 ? DEFAULT_TIMEOUT_S : value;
  };
  return {
    url: given.required('url'),
    workflowName: given.text('workflow_name'),
    responseTimeoutS: seconds('response_timeout'),
    startupTimeoutS: seconds('startup_timeout'),
  };
}
