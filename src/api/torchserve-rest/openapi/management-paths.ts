import { answer, failure, INTERNAL, inPath, inQuery, type Json, object, operation, type Paths, property, status } from './document.js';

const MODEL_NAME = 'Name of the model.';
const UNKNOWN = failure('No such model or version');
const SYNCHRONOUS = inQuery('synchronous', 'boolean', 'Wait until it is done.', 'false');
const TIMEOUT = inQuery('timeout', 'integer', 'Accepted and not used.', '-1');

const LIST = operation({
  description: 'List the models that are served.',
  operationId: 'listModels',
  parameters: [inQuery('limit', 'integer', 'Names per page, at most 100.', '100'), inQuery('next_page_token', 'string', 'Where the next page begins.')],
  responses: {
    200: answer(
      'OK',
      object(['models'], {
        nextPageToken: property('string', 'Pass it to get the next page.'),
        models: {
          type: 'array',
          items: object(['modelName', 'modelUrl'], { modelName: property('string', MODEL_NAME), modelUrl: property('string', 'Where it came from.') }),
          description: 'The models of this page.',
        },
      }),
    ),
    500: INTERNAL,
  },
});

const RUNTIME: Json = {
  in: 'query',
  name: 'runtime',
  description: "Replaces the manifest's runtime.",
  required: false,
  schema: { type: 'string', enum: ['PYTHON', 'PYTHON3', 'LSP'] },
};

const REGISTER = operation({
  description: 'Register a model.',
  operationId: 'registerModel',
  parameters: [
    inQuery('url', 'string', 'Archive in the model store, or an allowed URL.', undefined, true),
    inQuery('model_name', 'string', "Replaces the manifest's name."),
    inQuery('handler', 'string', "Replaces the manifest's handler."),
    RUNTIME,
    inQuery('batch_size', 'integer', 'Requests per batch.', '1'),
    inQuery('max_batch_delay', 'integer', 'Milliseconds that a batch waits for company.', '100'),
    inQuery('response_timeout', 'integer', 'Seconds that a worker may take for a batch.', '2'),
    inQuery('startup_timeout', 'integer', 'Seconds that a worker may take to load.', '120'),
    inQuery('initial_workers', 'integer', 'Workers to start.', '0'),
    SYNCHRONOUS,
    inQuery('s3_sse_kms', 'boolean', 'The archive is encrypted by S3 with a managed key.', 'false'),
  ],
  responses: {
    200: status('Model registered'),
    202: status('Accepted'),
    210: status('Partial Success'),
    400: failure('Bad request'),
    404: failure('Model not found'),
    409: failure('Model already registered'),
    500: INTERNAL,
  },
});

const WORKER = object(['id', 'startTime', 'status'], {
  id: property('string', 'Number of the worker'),
  startTime: property('string', 'When it was made'),
  gpu: property('boolean', 'Whether it runs on a GPU'),
  status: { type: 'string', description: 'What it is doing', enum: ['READY', 'LOADING', 'UNLOADING'] },
});

/** `status` and `metrics` are TorchServe's: documented, and never there. */
const DESCRIPTION = object(['modelName', 'modelVersion', 'modelUrl', 'minWorkers', 'maxWorkers', 'workers'], {
  modelName: property('string', MODEL_NAME),
  modelVersion: property('string', 'Its version.'),
  modelUrl: property('string', 'Where it came from.'),
  minWorkers: property('integer', 'Fewest workers.'),
  maxWorkers: property('integer', 'Most workers.'),
  batchSize: property('integer', 'Requests per batch.'),
  maxBatchDelay: property('integer', 'Milliseconds that a batch waits for company.'),
  status: property('string', 'Health of the model'),
  workers: { type: 'array', items: WORKER, description: 'The workers.' },
  metrics: object(['rejectedRequests', 'waitingQueueSize', 'requests'], {
    rejectedRequests: property('integer', 'Requests refused.'),
    waitingQueueSize: property('integer', 'Requests waiting.'),
    requests: property('integer', 'Requests served.'),
  }),
  jobQueueStatus: object(['remainingCapacity', 'pendingRequests'], {
    remainingCapacity: property('integer', 'Requests that still fit in the queue.'),
    pendingRequests: property('integer', 'Requests waiting in the queue.'),
  }),
});

function ofModel(isVersioned: boolean): Readonly<Record<string, Json>> {
  const id = (name: string) => (isVersioned ? `version_${name}` : name);
  const which = isVersioned ? 'a given version' : 'the default version';
  const path = [inPath('model_name', MODEL_NAME), ...(isVersioned ? [inPath('model_version', 'Version of the model.')] : [])];
  return {
    get: operation({
      description: `Describe ${which} of a model.`,
      operationId: id('describeModel'),
      parameters: path,
      responses: {
        200: answer('OK', { type: 'array', items: DESCRIPTION, description: 'One for each version that was asked for.' }),
        404: UNKNOWN,
        500: INTERNAL,
      },
    }),
    put: operation({
      description: `Set the number of workers of ${which} of a model.`,
      operationId: id('setAutoScale'),
      parameters: [
        ...path,
        inQuery('min_worker', 'integer', 'Fewest workers.', '1'),
        inQuery('max_worker', 'integer', 'Most workers.', '1'),
        inQuery('number_gpu', 'integer', 'Accepted and not used.', '0'),
        SYNCHRONOUS,
        TIMEOUT,
      ],
      responses: {
        200: status('Model workers updated'),
        202: status('Accepted'),
        210: status('Partial Success'),
        400: failure('Bad request'),
        404: UNKNOWN,
        500: INTERNAL,
      },
    }),
    delete: operation({
      description: `Unregister ${which} of a model.`,
      operationId: id('unregisterModel'),
      parameters: [...path, SYNCHRONOUS, TIMEOUT],
      responses: { 200: status('Model unregistered'), 202: status('Accepted'), 404: UNKNOWN, 408: failure('Request Timeout Error'), 500: INTERNAL },
    }),
  };
}

export const MODEL_PATHS: Paths = {
  '/models/{model_name}': ofModel(false),
  '/models/{model_name}/{model_version}': ofModel(true),
  '/models/{model_name}/{model_version}/set-default': {
    put: operation({
      description: 'Make a version the default of its model.',
      operationId: 'setDefault',
      parameters: [inPath('model_name', MODEL_NAME), inPath('model_version', 'Version of the model.')],
      responses: { 200: status('Default version set'), 404: UNKNOWN, 500: INTERNAL },
    }),
  },
};

export const MANAGEMENT_PATHS: Paths = { '/models': { get: LIST, post: REGISTER }, ...MODEL_PATHS };
