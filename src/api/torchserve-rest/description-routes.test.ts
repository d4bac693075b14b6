import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { aHttpRequest, KeptReply } from '../../../test/fixtures/http-exchange.js';
import { KeptLog } from '../../../test/fixtures/silent-observer.js';
import { TokenRefused } from '../../errors/admission.js';
import type { ApiName } from '../route.js';
import { createRouter } from '../router.js';
import { descriptionRoutes } from './description-routes.js';
import { modelInferenceDocument, modelManagementDocument } from './openapi/model-documents.js';

const schema = z.object({ type: z.string(), default: z.string().optional(), enum: z.array(z.string()).optional() });
const parameter = z.object({ in: z.string(), name: z.string(), description: z.string(), required: z.boolean(), schema });
const operation = z.object({
  description: z.string(),
  operationId: z.string(),
  parameters: z.array(parameter),
  requestBody: z.object({ description: z.string(), content: z.record(z.string(), z.unknown()), required: z.boolean() }).optional(),
  responses: z.record(z.string(), z.object({ description: z.string(), content: z.record(z.string(), z.unknown()).optional() })),
  deprecated: z.boolean().optional(),
});
const openApi = z.object({
  openapi: z.literal('3.0.1'),
  info: z.object({ title: z.string(), description: z.string().optional(), version: z.string() }),
  paths: z.record(z.string(), z.record(z.string(), operation)),
});

/** One line per operation: method, path, operation id, parameters with their defaults, statuses. `*` marks what is required. */
function outline(document: unknown): string[] {
  const shown = ({ name, required, schema: { default: fallback } }: z.infer<typeof parameter>) =>
    `${name}${required ? '*' : ''}${fallback === undefined ? '' : `=${fallback}`}`;
  return Object.entries(openApi.parse(document).paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(
      ([method, { operationId, parameters, responses }]) =>
        `${method} ${path} ${operationId}(${parameters.map(shown).join(' ')}) ${Object.keys(responses).join(' ')}`,
    ),
  );
}

function aListener(serves: readonly ApiName[]) {
  const authorize = () => {
    throw TokenRefused({});
  };
  const handler = createRouter(descriptionRoutes(serves, '0.12.0'), { serves, authorize, log: new KeptLog() });
  return async (method: string, target: string) => {
    const reply = new KeptReply();
    handler(aHttpRequest({ method, target }), reply);
    await reply.ended;
    const json: unknown = JSON.parse(reply.body);
    return { status: reply.status, type: reply.header('content-type'), json };
  };
}

const ROOT = 'options / apiDescription() 200 500';
const DESCRIPTION = 'get /api-description api-description() 200 500';
const METRICS = 'get /metrics metrics(name[]) 200 500';
const METRICS_ELSEWHERE = 'get /metrics metrics(name[]) 200 404 500';
const INFERENCE = [
  'get /ping ping() 200 500',
  'post /v1/models/{model_name}:predict predictions(model_name*) 200 404 500 503',
  'post /v2/models/{model_name}/infer predictions(model_name*) 200 404 500 503',
  'post /predictions/{model_name} predictions(model_name*) 200 404 500 503',
  'post /predictions/{model_name}/{model_version} version_predictions(model_name* model_version*) 200 404 500 503',
];
const SCALE = 'min_worker=1 max_worker=1 number_gpu=0 synchronous=false timeout=-1';
const UNREGISTER = 'synchronous=false timeout=-1';
const MODEL = [
  'get /models/{model_name} describeModel(model_name*) 200 404 500',
  `put /models/{model_name} setAutoScale(model_name* ${SCALE}) 200 202 210 400 404 500`,
  `delete /models/{model_name} unregisterModel(model_name* ${UNREGISTER}) 200 202 404 408 500`,
  'get /models/{model_name}/{model_version} version_describeModel(model_name* model_version*) 200 404 500',
  `put /models/{model_name}/{model_version} version_setAutoScale(model_name* model_version* ${SCALE}) 200 202 210 400 404 500`,
  `delete /models/{model_name}/{model_version} version_unregisterModel(model_name* model_version* ${UNREGISTER}) 200 202 404 408 500`,
  'put /models/{model_name}/{model_version}/set-default setDefault(model_name* model_version*) 200 404 500',
];
const REGISTER =
  'url* model_name handler runtime batch_size=1 max_batch_delay=100 response_timeout=2 startup_timeout=120 initial_workers=0 synchronous=false s3_sse_kms=false';
const MANAGEMENT = [
  'get /models listModels(limit=100 next_page_token) 200 500',
  `post /models registerModel(${REGISTER}) 200 202 210 400 404 409 500`,
  ...MODEL,
];

const LISTENERS: [ApiName[], string[]][] = [
  [['inference'], [ROOT, ...INFERENCE, DESCRIPTION, METRICS_ELSEWHERE]],
  [['management'], [ROOT, ...MANAGEMENT, DESCRIPTION, METRICS_ELSEWHERE]],
  [['metrics'], [METRICS]],
  [
    ['inference', 'management', 'metrics'],
    [ROOT, ...INFERENCE, DESCRIPTION, ...MANAGEMENT, METRICS],
  ],
  [
    ['inference', 'management'],
    [ROOT, ...INFERENCE, DESCRIPTION, ...MANAGEMENT, METRICS_ELSEWHERE],
  ],
];

describe.each(LISTENERS)('the listener of %s', (serves, lines) => {
  it.each([
    ['OPTIONS', '/'],
    ['GET', '/api-description'],
    ['POST', '/api-description/'],
  ])('describes itself on %s %s, without a token', async (method, target) => {
    const { status, type, json } = await aListener(serves)(method, target);
    expect([status, type]).toEqual([200, 'application/json']);
    expect(openApi.parse(json).info).toMatchObject({ title: 'TorchServe APIs', version: '0.12.0' });
    expect(outline(json)).toEqual(lines);
  });

  it.each(['GET', 'POST'])('does not allow %s /', async (method) => {
    expect(await aListener(serves)(method, '/')).toMatchObject({ status: 405, json: { code: 405, type: 'MethodNotAllowedException' } });
  });
});

it('a failure has code, type and message wherever it is listed', () => {
  const { paths } = openApi.parse(modelManagementDocument('m', '0.12.0'));
  const failures = Object.values(paths).flatMap((operations) =>
    Object.values(operations).flatMap(({ responses }) => Object.entries(responses).filter(([status]) => Number(status) >= 400)),
  );
  expect(failures.length).toBeGreaterThan(10);
  for (const [, { content }] of failures) {
    expect(content).toMatchObject({ 'application/json': { schema: { required: ['code', 'type', 'message'], properties: { code: { type: 'integer' } } } } });
  }
});

it('fields stand in the order of TorchServe', async () => {
  const { json } = await aListener(['inference'])('OPTIONS', '/');
  const { paths } = z.object({ paths: z.record(z.string(), z.record(z.string(), z.record(z.string(), z.unknown()))) }).parse(json);
  expect(Object.keys(z.object({}).loose().parse(json))).toEqual(['openapi', 'info', 'paths']);
  expect(Object.keys(paths['/predictions/{model_name}']?.post ?? {})).toEqual(['description', 'operationId', 'parameters', 'requestBody', 'responses']);
  expect(paths['/api-description']?.get).toHaveProperty('deprecated', true);
});

describe("a model's own document", () => {
  it('lists its predict paths, the first of them without its s', () => {
    const document = modelInferenceDocument('noop');
    expect(openApi.parse(document).info).toEqual({ title: 'RESTful API for: noop', version: '1.0.0' });
    expect(outline(document)).toEqual([
      'post /prediction/noop noop() 200 500',
      'post /v1/models/{model_name}:predict noop() 200 500',
      'post /v2/models/{model_name}/infer noop() 200 500',
    ]);
  });

  it('lists its management paths', () => {
    const document = modelManagementDocument('noop', '0.12.0');
    expect(openApi.parse(document).info).toEqual({ title: 'RESTful Management API for: noop', version: '0.12.0' });
    expect(outline(document)).toEqual(MODEL);
  });
});
