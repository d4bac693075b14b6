import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { archive } from '../fixtures/archives.js';
import { type HttpResult, RunningServer } from './running-server.js';

const server = new RunningServer();

const count = z.object({
  sum: z.number(),
  pid: z.number(),
  batch: z.number(),
  sequences: z.array(z.string()),
  start: z.string().nullable(),
  end: z.string().nullable(),
});

interface Add {
  readonly sequence?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function add(model: string, value: number | string, { sequence, headers = {} }: Add = {}): Promise<HttpResult> {
  return server.predict(model, { body: String(value), headers: { ...(sequence === undefined ? {} : { my_sequence: sequence }), ...headers } });
}

function counted(result: HttpResult) {
  expect([result.status, result.text]).toEqual([200, expect.stringContaining('sum')]);
  return count.parse(JSON.parse(result.text));
}

function inOrder(numbers: readonly number[]): readonly number[] {
  return [...numbers].sort((a, b) => a - b);
}

async function register(name: string, config: string, handler = 'sequence_counter.py'): Promise<HttpResult> {
  const file = await archive(server.store, { name, handler, config: `sequenceBatching: true\n${config}` });
  return server.manage('POST', `/models?url=${file}&initial_workers=1`);
}

const describedModel = z
  .array(z.object({ workers: z.array(z.object({ pid: z.number(), status: z.string() })), jobQueueStatus: z.object({ pendingRequests: z.number() }) }).loose())
  .length(1);

async function described(model: string) {
  const [version] = describedModel.parse((await server.manage('GET', `/models/${model}`)).json());
  if (version === undefined) throw new Error('not described');
  return version;
}

beforeAll(async () => {
  await server.start({ config: { ts_header_key_sequence_id: 'my_sequence', ts_header_key_sequence_end: 'my_end' } });
});

afterAll(() => server.dispose());

describe('a model with sequences', () => {
  it('counts forty of them, interleaved on two workers, each on one worker, at most one request of each in a batch', async () => {
    const config =
      'minWorkers: 2\nmaxWorkers: 2\nbatchSize: 8\nmaxBatchDelay: 5\nsequenceMaxIdleMSec: 60000\nmaxNumSequence: 40\nmaxSequenceJobQueueSize: 20\n';
    await register('forty', config);
    const sequences = Array.from({ length: 40 }, (_, n) => `sequence-${n}`);

    const answers = await Promise.all(
      sequences.map(async (sequence) => Promise.all(Array.from({ length: 10 }, () => add('forty', 1, { sequence }).then(counted)))),
    );

    for (const [n, ofOne] of answers.entries()) {
      expect(inOrder(ofOne.map(({ sum }) => sum))).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(new Set(ofOne.map(({ pid }) => pid)).size).toBe(1);
      for (const { sequences: together } of ofOne) {
        expect(together).toContain(sequences[n]);
        expect(new Set(together).size).toBe(together.length);
      }
    }
    const workers = answers.map(([first]) => first?.pid);
    expect(workers.filter((pid) => pid === workers[0]).length).toBe(20);
    expect(Math.max(...answers.flat().map(({ batch }) => batch))).toBeGreaterThan(1);
    expect((await described('forty')).jobQueueStatus.pendingRequests).toBe(0);
  });

  it('gives a request without an id one of its own, with the start header, and the handler can send it back', async () => {
    await register('generated', 'sequenceMaxIdleMSec: 60000\nmaxNumSequence: 10\n');

    const first = await add('generated', 3);
    const id = String(first.headers.my_sequence);
    const second = await add('generated', 4, { sequence: id });
    const empty = await add('generated', 5, { sequence: '' });

    expect(id).toMatch(/^ts-seq-[0-9a-f-]{36}$/);
    expect([counted(first).start, counted(second).start, counted(empty).start]).toEqual(['true', null, 'true']);
    expect([counted(first).sum, counted(second).sum, counted(empty).sum]).toEqual([3, 7, 5]);
    expect(empty.headers.my_sequence).not.toBe(id);
  });

  it('refuses sequences and requests beyond its limits with the words that TorchServe has for it', async () => {
    await register('limited', 'batchSize: 2\nmaxBatchDelay: 300\nsequenceMaxIdleMSec: 60000\nmaxNumSequence: 1\nmaxSequenceJobQueueSize: 1\n');
    await add('limited', 1, { sequence: 'x' });

    const other = await add('limited', 1, { sequence: 'y' });
    const burst = await Promise.all(Array.from({ length: 30 }, () => add('limited', 1, { sequence: 'x' })));

    expect([other.status, other.headers['x-sconce-reason']]).toEqual([503, 'queue_full']);
    expect(other.json()).toEqual({
      code: 503,
      type: 'ServiceUnavailableException',
      message:
        'Model "limited" has no worker to serve inference request. Please use scale workers API to add workers. If this is a sequence inference, please check if it is closed, or expired; or exceeds maxSequenceJobQueueSize',
    });
    const served = burst.filter(({ status }) => status === 200);
    expect(burst.every(({ status }) => status === 200 || status === 503)).toBe(true);
    expect(served.length).toBeLessThan(30);
    expect(inOrder(served.map((answer) => counted(answer).sum))).toEqual(served.map((_, n) => n + 2));
  });

  it('forgets an idle sequence, which then makes room for another', async () => {
    await register('idle', 'sequenceMaxIdleMSec: 200\nmaxNumSequence: 1\n');
    await add('idle', 1, { sequence: 'x' });
    expect((await add('idle', 1, { sequence: 'y' })).status).toBe(503);

    await server.eventually(async () => (await add('idle', 1, { sequence: 'y' })).status === 200, 'the idle sequence is over');
  });

  it('ends a sequence with the request that says so, and with the handler that says so', async () => {
    await register('ending', 'sequenceMaxIdleMSec: 60000\nmaxNumSequence: 1\n');

    const last = counted(await add('ending', 1, { sequence: 'x', headers: { my_end: 'true' } }));
    const byHandler = await add('ending', 0, { sequence: 'y' });
    const third = await add('ending', 1, { sequence: 'z' });

    expect(last.end).toBe('true');
    expect(byHandler.headers.my_end).toBe('y;another');
    expect([byHandler.status, third.status]).toEqual([200, 200]);
  });

  it('answers everyone when a worker crashes in the middle, restarts it, and serves the sequences of the other worker as if nothing had been', async () => {
    await register(
      'crashing',
      'minWorkers: 2\nmaxWorkers: 2\nbatchSize: 4\nmaxBatchDelay: 1\nsequenceMaxIdleMSec: 60000\nmaxNumSequence: 8\nmaxSequenceJobQueueSize: 8\n',
    );
    const sequences = Array.from({ length: 8 }, (_, n) => `s${n}`);
    const before = new Map(await Promise.all(sequences.map(async (sequence) => [sequence, counted(await add('crashing', 1, { sequence })).pid] as const)));
    const doomed = before.get('s0') ?? -1;

    const after = sequences.map((sequence) => Promise.all(Array.from({ length: 4 }, () => add('crashing', 1, { sequence }))));
    const exit = add('crashing', 'exit', { sequence: 's0' });
    const answers = await Promise.all(after);

    expect((await exit).status).toBe(500);
    for (const [n, ofOne] of answers.entries()) {
      expect(ofOne.every(({ status, text }) => status === 200 || (status === 500 && text.includes('Worker died.')))).toBe(true);
      if (before.get(`s${n}`) === doomed) continue;
      expect(inOrder(ofOne.map((answer) => counted(answer).sum))).toEqual([2, 3, 4, 5]);
    }
    await server.eventually(async () => (await described('crashing')).workers.every(({ status }) => status === 'READY'), 'the worker is back');
    const anew = counted(await add('crashing', 7, { sequence: 's0' }));
    expect([anew.sum, anew.pid === doomed]).toEqual([7, false]);
  });

  it('is described whole, and its description asks no sequence', async () => {
    await register('shown', 'sequenceMaxIdleMSec: 60000\nsequenceTimeoutMSec: 90000\nmaxNumSequence: 5\nmaxSequenceJobQueueSize: 6\n', 'token_stream.py');

    const plain = await described('shown');
    const customized = z
      .array(z.object({ customizedMetadata: z.object({ batch: z.number() }).loose() }).loose())
      .parse((await server.manage('GET', '/models/shown?customized=true')).json());

    expect(plain).toMatchObject({ stateful: true, sequenceMaxIdleMSec: 60000, sequenceTimeoutMSec: 90000, maxNumSequence: 5, maxSequenceJobQueueSize: 6 });
    expect(customized[0]?.customizedMetadata.batch).toBe(1);
  });

  it('without an idle time is refused when it is registered, with the reason', async () => {
    const answer = await register('invalid', 'maxNumSequence: 5\n');

    expect(answer.status).toBe(400);
    expect(answer.json()).toEqual({
      code: 400,
      type: 'InvalidModelException',
      message: 'Model invalid cannot be served as its model-config.yaml says: sequenceBatching needs sequenceMaxIdleMSec greater than 0.',
    });
    expect((await server.manage('GET', '/models/invalid')).status).toBe(404);
  });
});
