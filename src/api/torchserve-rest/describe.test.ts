import { describe, expect, it } from 'vitest';
import { aDescription, aServableModel } from '../../../test/fixtures/kept-model-service.js';
import { aManagementApi, anError } from '../../../test/fixtures/management-api.js';
import type { VersionDescription } from '../../admission/management-gate.js';
import { NoDescribeWorker } from '../../errors/scheduling.js';
import type { ModelConfig } from '../../inference/model-config.js';
import type { ResponsePart } from '../../inference/part.js';
import { ANYONE } from '../../inference/principal.js';

/** Describe of a model with no configuration and one worker, field by field. */
const PLAIN = {
  modelName: 'm',
  modelVersion: '1.0',
  modelUrl: 'm.mar',
  runtime: 'python',
  minWorkers: 1,
  maxWorkers: 1,
  batchSize: 1,
  maxBatchDelay: 100,
  responseTimeout: 120,
  startupTimeout: 120,
  maxRetryTimeoutInSec: 300,
  clientTimeoutInMills: 0,
  parallelType: '',
  parallelLevel: 0,
  deviceType: 'cpu',
  continuousBatching: false,
  useJobTicket: false,
  useVenv: false,
  stateful: false,
  sequenceMaxIdleMSec: 0,
  sequenceTimeoutMSec: 0,
  maxNumSequence: 0,
  maxSequenceJobQueueSize: 0,
  loadedAtStartup: false,
  workers: [{ id: '9000', startTime: '2025-01-31T10:00:00.123Z', status: 'READY', memoryUsage: 0, pid: 4242, gpu: false, gpuUsage: 'N/A' }],
  jobQueueStatus: { remainingCapacity: 100, pendingRequests: 0 },
};
const SECOND = { ...PLAIN, modelVersion: '2.0', modelUrl: 'm2.mar' };

/** The answer to GET /models/m where its one version is `over`. */
async function described(over: Partial<VersionDescription>): Promise<unknown> {
  const { models, told } = aManagementApi();
  models.versions.splice(0, 2, aDescription(over));
  const [status, body] = await told('GET', '/models/m');
  expect(status).toBe(200);
  return body;
}

function configured(config: Partial<ModelConfig>): Partial<VersionDescription> {
  const model = aServableModel();
  return { model: { ...model, config: { ...model.config, ...config } } };
}

describe('describe', () => {
  it('shows a list of one version, its fields in order', async () => {
    const { body, header, status } = await aManagementApi()
      .ask('GET', '/models/m')
      .then((reply) => ({ body: reply.body, header: reply.header('content-type'), status: reply.status }));
    expect([status, header, body]).toEqual([200, 'application/json', `${JSON.stringify([PLAIN], undefined, 2)}\n`]);
  });

  it.each([
    ['/models/m', [PLAIN]],
    ['/models/m/', [PLAIN]],
    ['/models/m/2.0', [SECOND]],
    ['/models/m/all', [PLAIN, SECOND]],
    ['/models/m/all?customized=true', [PLAIN, SECOND]],
    ['/models/m?customized=no', [PLAIN]],
    ['/models/m/2.0/set-default', [PLAIN]],
  ])('of %s', async (target, versions) => {
    const { told, refreshes } = aManagementApi();
    expect(await told('GET', target)).toEqual([200, versions]);
    expect(refreshes()).toBe(1);
  });

  it('follows the default version', async () => {
    const { models, told } = aManagementApi();
    models.setDefault('m', '2.0');
    expect(await told('GET', '/models/m')).toEqual([200, [SECOND]]);
  });

  it.each([
    ['/models/unknown', anError(404, 'ModelNotFoundException', 'Model not found: unknown')],
    ['/models/unknown/all', anError(404, 'ModelNotFoundException', 'Model not found: unknown')],
    ['/models/m/9.9', anError(404, 'ModelVersionNotFoundException', 'Model version: 9.9 does not exist for model: m')],
    ['/models/m/9.9?customized=true', anError(404, 'ModelVersionNotFoundException', 'Model version: 9.9 does not exist for model: m')],
  ])('of %s is refused', async (target, refusal) => {
    const { told, refreshes } = aManagementApi();
    expect(await told('GET', target)).toEqual(refusal);
    expect(refreshes()).toBe(0);
  });
});

describe('the fields', () => {
  it('follow the limits of the version', async () => {
    const limits = { minWorkers: 2, maxWorkers: 4, batchSize: 8, maxBatchDelayMs: 5, responseTimeoutS: 7, startupTimeoutS: 9, maxRetryTimeoutS: 11 };
    const shown = { minWorkers: 2, maxWorkers: 4, batchSize: 8, maxBatchDelay: 5, responseTimeout: 7, startupTimeout: 9, maxRetryTimeoutInSec: 11 };
    const rest = {
      clientTimeoutMs: 13,
      deviceType: 'gpu',
      deviceIds: [1, 3],
      loadedAtStartup: true,
      queue: { remainingCapacity: 98, pendingRequests: 2 },
    } as const;
    expect(await described({ ...limits, ...rest })).toEqual([
      {
        ...PLAIN,
        ...shown,
        clientTimeoutInMills: 13,
        deviceType: 'gpu',
        deviceIds: [1, 3],
        loadedAtStartup: true,
        jobQueueStatus: { remainingCapacity: 98, pendingRequests: 2 },
      },
    ]);
  });

  it('follow the model config', async () => {
    const flags = { continuousBatching: true, useJobTicket: true, useVenv: true };
    expect(await described(configured({ ...flags, parallelType: 'pp', parallelLevel: 2 }))).toEqual([
      { ...PLAIN, ...flags, parallelType: 'pp', parallelLevel: 2 },
    ]);
  });

  it('show no parallel level without a parallel type', async () => {
    expect(await described(configured({ parallelLevel: 4 }))).toEqual([PLAIN]);
  });

  it('show the sizes of sequences only where sequences may idle', async () => {
    const sizes = { maxNumSequence: 4, maxSequenceJobQueueSize: 6 };
    expect(await described(configured({ sequenceBatching: true, ...sizes }))).toEqual([{ ...PLAIN, stateful: true }]);
    const times = { sequenceMaxIdleMs: 50, sequenceTimeoutMs: 60 };
    const shown = { stateful: true, sequenceMaxIdleMSec: 50, sequenceTimeoutMSec: 60 };
    expect(await described(configured({ sequenceBatching: true, ...times, ...sizes }))).toEqual([{ ...PLAIN, ...shown, ...sizes }]);
    expect(await described(configured({ sequenceBatching: true, ...times }))).toEqual([{ ...PLAIN, ...shown, maxNumSequence: 1, maxSequenceJobQueueSize: 1 }]);
  });

  it('call a worker READY once it has loaded, UNLOADING otherwise', async () => {
    const gpuUsage = 'gpuId::0 utilization.gpu [%]::1 % utilization.memory [%]::2 % memory.used [MiB]::3 MiB';
    const workers = [
      { id: 9001, startedAtMs: 0, ready: false, memoryBytes: 0, pid: -1, gpu: false, gpuUsage: 'N/A' },
      { id: 9002, startedAtMs: 1000, ready: true, memoryBytes: 2048, pid: 7, gpu: true, gpuUsage },
    ];
    expect(await described({ workers })).toEqual([
      {
        ...PLAIN,
        workers: [
          { id: '9001', startTime: '1970-01-01T00:00:00.000Z', status: 'UNLOADING', memoryUsage: 0, pid: -1, gpu: false, gpuUsage: 'N/A' },
          { id: '9002', startTime: '1970-01-01T00:00:01.000Z', status: 'READY', memoryUsage: 2048, pid: 7, gpu: true, gpuUsage },
        ],
      },
    ]);
    expect(await described({ workers: [] })).toEqual([{ ...PLAIN, workers: [] }]);
  });

  it('tell of crashes where there were any', async () => {
    const dossier = { atMs: 1, model: 'm', version: '1.0', workerName: 'W-9000-m_1.0', cause: 'killed', requestIds: ['a'], lastLines: ['bye'] };
    const crash = { ...dossier, pid: 7, exitCode: undefined, signal: 'SIGKILL', during: 'predict', memoryPeakBytes: undefined } as const;
    expect(await described({ crashes: [crash] })).toEqual([{ ...PLAIN, crashes: [{ ...dossier, pid: 7, signal: 'SIGKILL', during: 'predict' }] }]);
  });
});

describe('with customized=true the handler', () => {
  const part = (body: string, over: Partial<ResponsePart> = {}): ResponsePart => ({
    status: 200,
    reason: '',
    headers: [],
    body: Buffer.from(body),
    last: true,
    ...over,
  });

  it('is asked once, with the headers of the call and no inputs', async () => {
    const { models, ask } = aManagementApi();
    const closed = new AbortController().signal;
    await ask('GET', '/models/m?customized=TRUE', { headers: [['X-Mine', '1']], closed });
    expect(models.requests.map(({ id: _id, receivedAtMs: _at, ...request }) => request)).toEqual([
      {
        principal: ANYONE,
        model: 'm',
        version: undefined,
        purpose: 'describe',
        headers: [
          ['X-Mine', '1'],
          ['describe', 'True'],
        ],
        inputs: [],
        deadlineAtMs: undefined,
        cancelled: closed,
      },
    ]);
    await ask('GET', '/models/m/2.0?customized=true');
    expect(models.requests.at(-1)).toMatchObject({ model: 'm', version: '2.0' });
  });

  it.each([
    ['{"a": {"b": [1, "ü"]}}', { a: { b: [1, 'ü'] } }],
    ['{}', {}],
    ['[1]', {}],
    ['"text"', {}],
    ['not JSON', {}],
    ['null', {}],
    [`{'a': True, b: None, "c": [1,]}`, { a: true, b: 'None', c: [1] }],
    [`{"a": "${'x'.repeat(70_000)}"}`, { a: 'x'.repeat(70_000) }],
    [`{'a': '${'x'.repeat(70_000)}'}`, {}],
  ])('that says %s has it added as an object', async (said, customizedMetadata) => {
    const { models, ask } = aManagementApi();
    models.answers = (_request, answer) => answer.part(part(said));
    const reply = await ask('GET', '/models/m?customized=true');
    expect(reply.status).toBe(200);
    expect(reply.header('content-type')).toBe('application/json');
    expect(Buffer.from(reply.body, 'latin1').toString()).toBe(`${JSON.stringify([{ ...PLAIN, customizedMetadata }], undefined, 2)}\n`);
  });

  it.each(['', ' \n'])('that says nothing ("%s") leaves the field out', async (said) => {
    const { models, told } = aManagementApi();
    models.answers = (_request, answer) => answer.part(part(said));
    expect(await told('GET', '/models/m?customized=true')).toEqual([200, [PLAIN]]);
  });

  it('chooses status, reason and headers of the answer', async () => {
    const { models, ask } = aManagementApi();
    const headers = [
      ['Content-Type', 'text/x-mine'],
      ['X-Theirs', '2'],
    ] as const;
    models.answers = (_request, answer) => answer.part(part('{"a":1}', { status: 299, reason: 'Fine', headers }));
    const reply = await ask('GET', '/models/m?customized=true');
    expect([reply.status, reply.reason, reply.headers]).toEqual([299, 'Fine', headers]);
  });

  it('may say it in several parts', async () => {
    const { models, told } = aManagementApi();
    models.answers = (_request, answer) => {
      answer.part(part('{"a":', { last: false }));
      answer.part(part('1}'));
    };
    expect(await told('GET', '/models/m?customized=true')).toEqual([200, [{ ...PLAIN, customizedMetadata: { a: 1 } }]]);
  });

  it('that never stops talking is cut short, once', async () => {
    const { models, told } = aManagementApi();
    const chunk = ' '.repeat(2 ** 16);
    models.answers = (_request, answer) => {
      for (let i = 0; i < 20; i++) answer.part(part(chunk, { last: false }));
      answer.fail(NoDescribeWorker({ model: 'm' }));
    };
    const refusal = anError(500, 'InternalServerException', "The handler's description is longer than 1048576 bytes.");
    expect(await told('GET', '/models/m?customized=true')).toEqual(refusal);
  });

  it.each([
    ['the deepest', 63, 200],
    ['too deep', 64, 500],
    ['far too deep', 400_000, 500],
  ])('that nests %s hurts nobody', async (_case, levels, status) => {
    const { models, ask } = aManagementApi();
    const said: unknown[] = [];
    models.answers = (_request, answer) => {
      try {
        answer.part(part(`{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`));
      } catch (error) {
        said.push(error);
      }
    };
    const reply = await ask('GET', '/models/m?customized=true');
    expect([reply.status, said]).toEqual([status, []]);
    if (status === 500) expect(JSON.parse(reply.body)).toMatchObject({ message: "The handler's description is nested deeper than 64 levels." });
  });

  it('that is not there is told as TorchServe tells it', async () => {
    const { models, told } = aManagementApi();
    models.answers = (_request, answer) => answer.fail(NoDescribeWorker({ model: 'm' }));
    const text = 'Model "m" has no worker to serve describe request. Please use scale workers API to add workers.';
    expect(await told('GET', '/models/m?customized=true')).toEqual(anError(503, 'ServiceUnavailableException', text));
  });
});
