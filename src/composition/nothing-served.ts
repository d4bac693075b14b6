import { InferenceGate } from '../admission/inference-gate.js';
import { KeyRotation } from '../admission/key-rotation.js';
import { ManagementGate } from '../admission/management-gate.js';
import { WorkflowGate } from '../admission/workflow-gate.js';
import type { Settings } from '../config/settings.js';
import { ModelNotFound } from '../errors/model.js';
import { WorkflowNotFound } from '../errors/workflow.js';
import { SILENT_LOG, SILENT_OBSERVER } from '../observability/silence.js';
import type { ModelService } from '../registry/model-service.js';
import type { WorkflowService } from '../workflows/workflow-service.js';
import type { ApiParts } from './apis.js';

const noModel = (model: string): never => {
  throw ModelNotFound({ model });
};
const noWorkflow = (workflow: string): never => {
  throw WorkflowNotFound({ workflow });
};

/** A registry without a model. */
const NO_MODELS: ModelService = {
  infer: ({ model }, answer) => answer.fail(ModelNotFound({ model })),
  assertServed: noModel,
  register: async ({ url }) => noModel(url),
  scale: async ({ model }) => noModel(model),
  unregister: async (model) => noModel(model),
  setDefault: noModel,
  list: () => [],
  describe: noModel,
  describeAll: noModel,
  healthy: () => true,
  ready: () => false,
  hasWorkers: noModel,
  metadata: noModel,
  modelReady: noModel,
  startupModels: () => [],
  crashes: () => [],
};

const NO_WORKFLOWS: WorkflowService = {
  run: ({ model: workflow }, answer) => answer.fail(WorkflowNotFound({ workflow })),
  assertServed: noWorkflow,
  register: async ({ url }) => noWorkflow(url),
  unregister: async (workflow) => noWorkflow(workflow),
  list: () => [],
  describe: noWorkflow,
};

/** The APIs of a server that serves nothing: for their tables of routes and methods. */
export function apisOfNothing({ disableTokenAuthorization }: Pick<Settings, 'disableTokenAuthorization'>): ApiParts {
  return {
    inference: new InferenceGate(NO_MODELS),
    management: new ManagementGate(NO_MODELS, { enableModelApi: false }),
    workflows: new WorkflowGate(NO_WORKFLOWS),
    keys: disableTokenAuthorization ? undefined : new KeyRotation(() => undefined),
    observer: SILENT_OBSERVER,
    log: SILENT_LOG,
    isDraining: () => false,
    refreshMemory: async () => {},
    renderMetrics: () => '',
    metricsCaughtUp: async () => {},
    billOfMaterials: async () => ({}),
  };
}
