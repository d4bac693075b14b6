import { answer, failure, INTERNAL, inPath, inQuery, type Json, object, operation, type Paths, property, status } from './document.js';

const DESCRIPTOR = answer(
  'An OpenAPI 3.0.1 document',
  object(['openapi', 'info', 'paths'], { openapi: property('string'), info: property('object'), paths: property('object') }),
);
const BINARY: Json = { '*/*': { schema: { type: 'string', format: 'binary' } } };

function description(operationId: string, deprecated?: boolean): Json {
  return operation({
    description: 'Describe this API.',
    operationId,
    responses: { 200: DESCRIPTOR, 500: INTERNAL },
    ...(deprecated === undefined ? {} : { deprecated }),
  });
}

export const ROOT_PATH: Paths = { '/': { options: description('apiDescription') } };
export const DESCRIPTION_PATH: Paths = { '/api-description': { get: description('api-description', true) } };

function predict(operationId: string, isVersioned: boolean): Readonly<Record<string, Json>> {
  return {
    post: operation({
      description: `Predict with ${isVersioned ? 'a given' : 'the default'} version of a model.`,
      operationId,
      parameters: [inPath('model_name', 'Name of the model.'), ...(isVersioned ? [inPath('model_version', 'Version of the model.')] : [])],
      requestBody: { description: 'What the model takes is up to its handler.', content: BINARY, required: true },
      responses: {
        200: { description: "The handler's answer.", content: BINARY },
        404: failure('No such model or version'),
        500: INTERNAL,
        503: failure('No worker can serve the request'),
      },
    }),
  };
}

export const INFERENCE_PATHS: Paths = {
  '/ping': {
    get: operation({
      description: 'Tell whether the server is healthy.',
      operationId: 'ping',
      responses: { 200: status('Health of the server'), 500: INTERNAL },
    }),
  },
  '/v1/models/{model_name}:predict': predict('predictions', false),
  '/v2/models/{model_name}/infer': predict('predictions', false),
  '/predictions/{model_name}': predict('predictions', false),
  '/predictions/{model_name}/{model_version}': predict('version_predictions', true),
};

function metrics(more: Readonly<Record<string, Json>>): Paths {
  return {
    '/metrics': {
      get: operation({
        description: 'The metrics of the server in the Prometheus text format.',
        operationId: 'metrics',
        parameters: [inQuery('name[]', 'string', 'Samples to show.')],
        responses: {
          200: answer(
            'Metrics',
            object(['# HELP', '# TYPE', 'metric'], {
              '# HELP': property('string', 'What a metric means.'),
              '# TYPE': property('string', 'Its type.'),
              metric: property('string', 'A sample.'),
            }),
            'text/plain; version=0.0.4; charset=utf-8',
          ),
          ...more,
          500: INTERNAL,
        },
      }),
    },
  };
}

export const METRICS_PATHS: Paths = metrics({});
/** TorchServe documents metrics at every port. */
export const METRICS_ELSEWHERE: Paths = metrics({ 404: failure('Served at the port of metrics') });
