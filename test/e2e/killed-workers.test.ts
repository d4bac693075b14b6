import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InferenceAPIsServiceDefinition as Inference, type PredictionResponse } from '../../src/api/grpc-generated/inference.js';
import { archive } from '../fixtures/archives.js';
import { collected, GrpcClient } from '../fixtures/grpc-client.js';
import { workflowArchive } from '../fixtures/workflows.js';
import { call, type HttpResult, RunningServer } from './running-server.js';

const server = new RunningServer();
const workflows = join(server.folder, 'workflows');
const ONE = 'minWorkers: 1\nmaxWorkers: 1\n';
const JSON_TYPE = { 'content-type': 'application/json' };

beforeAll(async () => {
  mkdirSync(workflows);
  await archive(server.store, { name: 'step', handler: 'workflow_step.py' });
  await server.start({ config: { workflow_store: workflows, ...server.sharing('batched', 'ticketed', 'sequences', 'w__a', 'w__b') } });
});

afterAll(() => server.dispose());

async function register(name: string, handler: string, config: string): Promise<void> {
  const file = await archive(server.store, { name, handler, config: `${ONE}${config}` });
  expect((await server.manage('POST', `/models?url=${file}&synchronous=true`)).status).toBe(200);
}

function ask(model: string, wish: Readonly<Record<string, unknown>>, headers: Readonly<Record<string, string>> = JSON_TYPE): Promise<HttpResult> {
  return server.predict(model, { body: JSON.stringify(wish), headers });
}

const described = z
  .array(z.object({ workers: z.array(z.object({ pid: z.number(), status: z.string() })), jobQueueStatus: z.object({ pendingRequests: z.number() }) }).loose())
  .length(1);

async function describedOf(model: string) {
  const [version] = described.parse((await server.manage('GET', `/models/${model}`)).json());
  if (version === undefined) throw new Error('not described');
  return version;
}

async function pidOf(model: string): Promise<number> {
  return (await describedOf(model)).workers[0]?.pid ?? -1;
}

async function waitingAt(model: string, count: number): Promise<void> {
  await server.eventually(async () => (await describedOf(model)).jobQueueStatus.pendingRequests === count, `${count} wait`);
}

/** What makes a handler say that it has begun, and wait: until `let go`. */
function aHold(name: string) {
  const [started, until] = [join(server.shared, `${name}-started`), join(server.shared, `${name}-until`)];
  return {
    wish: { do: 'hold', started, until },
    begun: () => server.eventually(async () => existsSync(started), 'the handler is at work'),
    letGo: () => writeFileSync(until, ''),
  };
}

const outcome = ({ status, headers }: HttpResult): string => `${status} ${headers['x-sconce-reason'] ?? ''}`.trim();

/** Reads an answer piece by piece; `whole` tells whether it came to its end. */
function stream(model: string, wish: Readonly<Record<string, unknown>>): Promise<{ readonly whole: Promise<boolean> }> {
  return new Promise((resolve, reject) => {
    const take = (response: IncomingMessage): void => {
      const whole = new Promise<boolean>((ended) => response.on('close', () => ended(response.complete)));
      response.on('error', () => undefined);
      response.once('data', () => resolve({ whole }));
    };
    const sending: ClientRequest = httpRequest(`${server.inference}/predictions/${model}`, { method: 'POST', agent: false }, take);
    sending.on('error', reject);
    sending.end(JSON.stringify(wish));
  });
}

/** Nothing of what the dead worker held is left, and its successor serves. */
async function isAsBefore(model: string, dead: number, good: () => Promise<HttpResult>): Promise<void> {
  await server.eventually(
    async () => (await describedOf(model)).workers.every(({ pid, status }) => pid !== dead && status === 'READY'),
    'there is a successor',
  );
  expect((await good()).status).toBe(200);
  await waitingAt(model, 0);
}

describe('a worker that is killed with SIGKILL in the middle', () => {
  it('of a batch loses none of its requests: each is tried once more', async () => {
    await register('batched', 'scripted.py', 'batchSize: 4\nmaxBatchDelay: 20000\n');
    const { wish, begun, letGo } = aHold('batch');
    const answers = [ask('batched', wish), ...Array.from({ length: 3 }, () => ask('batched', { do: 'nothing' }))];
    await begun();
    const pid = await pidOf('batched');

    process.kill(pid, 'SIGKILL');
    letGo();

    const ended = await Promise.all(answers);
    expect(ended.map(outcome)).toEqual(['200', '200', '200', '200']);
    for (const { text } of ended) expect(text).not.toContain(`pid ${pid}`);
    await isAsBefore('batched', pid, async () => (await Promise.all(Array.from({ length: 4 }, () => ask('batched', { do: 'nothing' }))))[0] as HttpResult);
  });

  it('of a request with a job ticket loses it not, and there are tickets again', async () => {
    await register('ticketed', 'scripted.py', 'useJobTicket: true\n');
    const { wish, begun, letGo } = aHold('ticket');
    const answer = ask('ticketed', wish);
    await begun();
    const refused = ask('ticketed', { do: 'nothing' });
    expect(outcome(await refused)).toBe('503 queue_full');
    const pid = await pidOf('ticketed');

    process.kill(pid, 'SIGKILL');
    letGo();

    expect(outcome(await answer)).toBe('200');
    await isAsBefore('ticketed', pid, () => ask('ticketed', { do: 'nothing' }));
  });

  it('of a sequence answers that sequence 500, and the others by its successor', async () => {
    await register(
      'sequences',
      'scripted.py',
      'sequenceBatching: true\nbatchSize: 2\nmaxBatchDelay: 1\nmaxNumSequence: 8\nmaxSequenceJobQueueSize: 8\nsequenceMaxIdleMSec: 60000\n',
    );
    const of = (id: string, wish: Readonly<Record<string, unknown>>) => ask('sequences', wish, { ...JSON_TYPE, ts_request_sequence_id: id });
    await of('known', { do: 'nothing' });
    const { wish, begun, letGo } = aHold('sequence');
    const held = of('known', wish);
    await begun();
    const behind = [of('known', { do: 'nothing' }), of('known', { do: 'nothing' })];
    const other = of('new', { do: 'nothing' });
    // Those of the sequence wait for the one before them; the other is handed out already.
    await waitingAt('sequences', 2);
    const pid = await pidOf('sequences');

    process.kill(pid, 'SIGKILL');
    letGo();

    expect(outcome(await held)).toBe('500 worker_lost');
    expect((await Promise.all(behind)).map(outcome)).toEqual(['500 worker_lost', '500 worker_lost']);
    expect(outcome(await other)).toBe('200');
    await isAsBefore('sequences', pid, () => of('known', { do: 'nothing' }));
  });

  it('of continuous batching cuts the streams that had begun, over gRPC with INTERNAL, and answers those that wait', async () => {
    await register('tokens', 'token_stream.py', 'continuousBatching: true\nbatchSize: 3\nmaxBatchDelay: 5\n');
    const endless = { words: 1_000_000 };
    const active = await Promise.all([stream('tokens', endless), stream('tokens', endless)]);
    const client = new GrpcClient(server.grpcInference, Inference.fullName);
    const input = new Map([['body', Buffer.from(JSON.stringify(endless))]]);
    const call = client.serverStream(Inference.methods.streamPredictions, { modelName: 'tokens', modelVersion: '', input });
    const overGrpc = collected<PredictionResponse>(call);
    await new Promise((resolve) => call.once('data', resolve));
    const waiting = Array.from({ length: 5 }, () => ask('tokens', { words: 3 }, { 'content-type': 'application/octet-stream' }));
    await waitingAt('tokens', 5);
    const pid = await pidOf('tokens');

    process.kill(pid, 'SIGKILL');

    expect(await Promise.all(active.map(({ whole }) => whole))).toEqual([false, false]);
    expect((await overGrpc).end.code).toBe(13);
    expect((await Promise.all(waiting)).map(({ status, text }) => [status, text])).toEqual(Array.from({ length: 5 }, () => [200, '0 1 2 ']));
    await isAsBefore('tokens', pid, () => ask('tokens', { words: 1 }, { 'content-type': 'application/octet-stream' }));
    client.close();
  });

  it('of asynchronous communication answers all that it held, and cuts their streams', async () => {
    await register('coroutine', 'coroutine.py', 'asyncCommunication: true\n');
    const octets = { 'content-type': 'application/octet-stream' };
    const waiting = Array.from({ length: 30 }, () => ask('coroutine', { do: 'wait', gate: 'never' }, octets));
    const streams = await Promise.all(Array.from({ length: 3 }, () => stream('coroutine', { do: 'stream', parts: 1_000_000 })));
    const running = async (): Promise<number> => {
      const [version] = (await server.manage('GET', '/models/coroutine?customized=true')).json() as [{ customizedMetadata: { running: number } }];
      return version.customizedMetadata.running;
    };
    await server.eventually(async () => (await running()) === 33, 'all are at the worker');
    const pid = await pidOf('coroutine');

    process.kill(pid, 'SIGKILL');

    expect(new Set((await Promise.all(waiting)).map(outcome))).toEqual(new Set(['500 worker_lost']));
    expect(await Promise.all(streams.map(({ whole }) => whole))).toEqual([false, false, false]);
    await isAsBefore('coroutine', pid, () => ask('coroutine', { do: 'nothing' }, octets));
  });

  it('of a node of a workflow loses no run: the node is tried once more', async () => {
    await workflowArchive(workflows, {
      name: 'w',
      spec: 'models:\n  retry-attempts: 0\n  timeout-ms: 60000\n  a: {url: step.mar}\n  b: {url: step.mar}\ndag:\n  a: [b]\n',
    });
    expect((await server.manage('POST', '/workflows?url=w.war')).status).toBe(200);
    const run = (wish: Readonly<Record<string, unknown>> = {}) => call(`${server.inference}/wfpredict/w`, { method: 'POST', body: JSON.stringify(wish) });
    const { wish, begun, letGo } = aHold('node');
    const held = run({ b: wish });
    await begun();
    const behind = run();
    await waitingAt('w__b', 1);
    const pid = await pidOf('w__b');

    process.kill(pid, 'SIGKILL');
    letGo();

    expect((await held).json()).toMatchObject({ trail: ['a of 1', 'b of 1'] });
    expect((await behind).json()).toEqual({ trail: ['a of 1', 'b of 1'] });
    await isAsBefore('w__b', pid, () => run());
  });

  it('leaves a server that says so of each, and is healthy', async () => {
    const crashes = z.array(z.object({ model: z.string(), cause: z.string() }).loose());

    const all = crashes.parse((await server.manage('GET', '/sconce/crashes')).json());

    expect(all.map(({ model }) => model).sort()).toEqual(['batched', 'coroutine', 'sequences', 'ticketed', 'tokens', 'w__b']);
    expect((await call(`${server.inference}/ping`)).json()).toEqual({ status: 'Healthy' });
  });
});
