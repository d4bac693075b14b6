import { describe, expect, it } from 'vitest';
import type { RequestFacts } from '../../../test/fixtures/http-exchange.js';
import { aManagementApi, anError } from '../../../test/fixtures/management-api.js';
import type { Registered, RegisterWish } from '../../admission/management-gate.js';
import {
  ArchiveExists,
  ArchiveInvalid,
  ArchiveUnreadable,
  DependenciesFailed,
  DownloadFailed,
  LocationRefused,
  VersionExists,
  WorkersNotStarted,
} from '../../errors/model.js';
import type { SconceError } from '../../errors/sconce-error.js';

const json = (body: string): RequestFacts => ({ headers: [['content-type', 'application/json']], body });
const NO_WISH: RegisterWish = {
  url: 'm.mar',
  modelName: undefined,
  runtime: undefined,
  handler: undefined,
  batchSize: undefined,
  maxBatchDelayMs: undefined,
  initialWorkers: undefined,
  synchronous: true,
  responseTimeoutS: undefined,
  startupTimeoutS: undefined,
  s3SseKms: false,
};

/** What reaches the registry of a register call. */
async function wished(query: string, facts: RequestFacts = {}): Promise<RegisterWish | undefined> {
  const { models, told } = aManagementApi();
  expect((await told('POST', `/models?${query}`, facts))[0]).toBe(200);
  return models.registerWishes[0];
}

describe('the wish', () => {
  it('with a url alone is synchronous and leaves everything else unset', async () => {
    expect(await wished('url=m.mar')).toEqual(NO_WISH);
    expect(await wished('', json('{"url": "m.mar"}'))).toEqual(NO_WISH);
  });

  const ALL: RegisterWish = {
    url: 'm.mar',
    modelName: 'n',
    runtime: 'python3',
    handler: 'h:f',
    batchSize: 4,
    maxBatchDelayMs: 0,
    initialWorkers: 2,
    synchronous: false,
    responseTimeoutS: 5,
    startupTimeoutS: 0,
    s3SseKms: true,
  };

  it('has all eleven parameters of the query', async () => {
    const query =
      'url=m.mar&model_name=n&runtime=python3&handler=h:f&batch_size=4&max_batch_delay=0&initial_workers=2&synchronous=false&response_timeout=5&startup_timeout=0&s3_sse_kms=true';
    expect(await wished(query)).toEqual(ALL);
  });

  it('has all eleven parameters of a JSON body, in lenient JSON too', async () => {
    const body = `{'url': 'm.mar', model_name: 'n', "runtime": "python3", 'handler': 'h:f', batch_size: '4', max_batch_delay: 0, initial_workers: 2, synchronous: false, response_timeout: "5", startup_timeout: 0, s3_sse_kms: 'true'}`;
    expect(await wished('url=other.mar&batch_size=9', json(body))).toEqual(ALL);
  });

  it.each(['batch_size', 'max_batch_delay', 'initial_workers', 'response_timeout', 'startup_timeout'])(
    'with %s that is no whole number leaves it unset',
    async (name) => {
      expect(await wished(`url=m.mar&${name}=many`)).toEqual(NO_WISH);
      expect(await wished('', json(`{"url": "m.mar", "${name}": "many"}`))).toEqual(NO_WISH);
    },
  );

  it.each(['batch_size=-1', 'max_batch_delay=-100', 'response_timeout=-1', 'startup_timeout=-1'])('takes %s as unset', async (pair) => {
    expect(await wished(`url=m.mar&${pair}`)).toEqual(NO_WISH);
  });

  it.each(['batch_size=0', 'batch_size=-7', 'max_batch_delay=-10000', 'response_timeout=-5', 'startup_timeout=-5'])('never lets %s through', async (pair) => {
    expect(await wished(`url=m.mar&${pair}`)).toEqual(NO_WISH);
  });

  it.each(['python', 'python3', 'LSP'])('knows the runtime %s', async (runtime) => {
    expect(await wished(`url=m.mar&runtime=${runtime}`)).toEqual({ ...NO_WISH, runtime });
  });

  it('keeps an empty url for the intake to refuse', async () => {
    expect(await wished('url=')).toEqual({ ...NO_WISH, url: '' });
  });
});

describe('refused before anything is fetched', () => {
  it.each([
    ['no url', '', {}, anError(400, 'BadRequestException', 'Parameter url is required.')],
    ['no url in the body', 'url=m.mar', json('{}'), anError(400, 'BadRequestException', 'Parameter url is required.')],
    ['an unknown runtime', 'url=m.mar&runtime=java', {}, anError(400, 'BadRequestException', 'Invalid RuntimeType value: java')],
  ])('%s', async (_case, query, facts, refusal) => {
    const { models, told } = aManagementApi();
    expect(await told('POST', `/models?${query}`, facts)).toEqual(refusal);
    expect(models.registerWishes).toEqual([]);
  });

  it.each(['', '{', '[1]'])('a body that is no JSON object: "%s"', async (body) => {
    const { told } = aManagementApi();
    expect(await told('POST', '/models?url=m.mar', json(body))).toEqual([500, expect.objectContaining({ code: 500, type: 'JsonSyntaxException' })]);
  });

  it('anything, with the model API off', async () => {
    const { told } = aManagementApi({ enableModelApi: false });
    const refusal = anError(405, 'MethodNotAllowedException', 'Requested method is not allowed, please refer to API document.');
    expect(await told('POST', '/models?url=m.mar')).toEqual(refusal);
    expect(await told('POST', '/models', json('{'))).toEqual(refusal);
  });
});

describe('the answer', () => {
  const outcomes: [Registered['workers'], number, number, string][] = [
    ['none', 0, 200, 'Model "m" Version: 1.0 registered with 0 initial workers. Use scale workers API to add workers for the model.'],
    ['starting', 2, 202, 'Processing worker updates...'],
    ['started', 2, 200, 'Model "m" Version: 1.0 registered with 2 initial workers'],
    ['partial', 2, 206, 'Workers scaling in progress...'],
  ];
  it.each(outcomes)('to workers "%s"', async (workers, minWorkers, status, text) => {
    const { models, told } = aManagementApi();
    models.registered = () => ({ model: 'm', version: '1.0', minWorkers, workers });
    expect(await told('POST', '/models?url=m.mar')).toEqual([status, { status: text }]);
  });

  const failures: [SconceError, number, string, string][] = [
    [WorkersNotStarted({ model: 'm', version: '1.0', status: 500 }), 500, 'InternalServerException', 'Failed to start workers for model m version: 1.0'],
    [WorkersNotStarted({ model: 'm', version: '1.0', status: 507 }), 507, 'InternalServerException', 'Failed to start workers for model m version: 1.0'],
    [VersionExists({ model: 'm', version: '1.0' }), 409, 'ConflictStatusException', 'Model version 1.0 is already registered for model m'],
    [LocationRefused({ message: 'empty url' }), 404, 'ModelNotFoundException', 'empty url'],
    [LocationRefused({ message: 'Relative path is not allowed in url: ../m' }), 404, 'ModelNotFoundException', 'Relative path is not allowed in url: ../m'],
    [
      LocationRefused({ message: 'Given URL u does not match any allowed URL(s)' }),
      404,
      'ModelNotFoundException',
      'Given URL u does not match any allowed URL(s)',
    ],
    [LocationRefused({ message: 'Model not found at: u' }), 404, 'ModelNotFoundException', 'Model not found at: u'],
    [DownloadFailed({ url: 'u' }), 400, 'DownloadArchiveException', 'Failed to download archive from: u'],
    [ArchiveExists({ file: 'm.mar' }), 500, 'InternalServerException', 'Model file already exists m.mar'],
    [ArchiveUnreadable({ url: 'u', why: '' }), 500, 'InternalServerException', 'Failed to save model: u'],
    [ArchiveInvalid({ message: 'Model name is not defined.' }), 400, 'InvalidModelException', 'Model name is not defined.'],
    [
      DependenciesFailed({ message: 'Custom pip package installation failed for model m' }),
      400,
      'ModelException',
      'Custom pip package installation failed for model m',
    ],
  ];
  it.each(failures.map((row) => [row[0].message, ...row] as const))('to a failure: %s', async (_text, error, code, type, message) => {
    const { models, told } = aManagementApi();
    models.registered = () => {
      throw error;
    };
    expect(await told('POST', '/models?url=m.mar')).toEqual(anError(code, type, message));
  });
});
