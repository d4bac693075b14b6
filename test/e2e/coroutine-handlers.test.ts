import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { archive } from '../fixtures/archives.js';
import { type HttpResult, RunningServer } from './running-server.js';

const server = new RunningServer();

function ask(model: string, wish: Readonly<Record<string, unknown>>, headers: Readonly<Record<string, string>> = {}): Promise<HttpResult> {
  return server.predict(model, { body: JSON.stringify(wish), headers });
}

const metadata = z.object({ running: z.number(), cancelled: z.number() });

async function handlerOf(model: string): Promise<z.infer<typeof metadata>> {
  const answer = await server.manage('GET', `/models/${model}?customized=true`);
  const [version] = z.array(z.object({ customizedMetadata: metadata }).loose()).parse(answer.json());
  if (version === undefined) throw new Error(answer.text);
  return version.customizedMetadata;
}

async function register(name: string, config = ''): Promise<void> {
  const file = await archive(server.store, { name, handler: 'coroutine.py', config: `asyncCommunication: true\n${config}` });
  expect((await server.manage('POST', `/models?url=${file}&initial_workers=1`)).status).toBe(200);
}

beforeAll(async () => {
  await server.start();
  await register('coroutine');
});

afterAll(() => server.dispose());

describe('a model whose handler is a coroutine', () => {
  it('runs two hundred requests at once on one worker and answers each when it is ready', async () => {
    const waiting = Array.from({ length: 200 }, () => ask('coroutine', { do: 'wait', gate: 'all' }));
    await server.eventually(async () => (await handlerOf('coroutine')).running === 200, 'all are at the worker');

    const other = await ask('coroutine', { do: 'nothing' });
    expect([other.status, other.text]).toEqual([200, 'nothing']);
    await ask('coroutine', { do: 'open', gate: 'all' });

    expect(new Set((await Promise.all(waiting)).map(({ status, text }) => `${status} ${text}`))).toEqual(new Set(['200 wait']));
    expect((await handlerOf('coroutine')).running).toBe(0);
  });

  it('gives the error of one request to that one', async () => {
    const waiting = ask('coroutine', { do: 'wait', gate: 'error' });
    await server.eventually(async () => (await handlerOf('coroutine')).running === 1, 'one waits');

    const failed = await ask('coroutine', { do: 'raise', message: 'no luck', code: 418 });
    await ask('coroutine', { do: 'open', gate: 'error' });

    expect([failed.status, failed.json()]).toEqual([418, { code: 418, type: 'InternalServerException', message: 'no luck' }]);
    expect((await waiting).status).toBe(200);
  });

  it('streams several at once', async () => {
    const streams = await Promise.all(Array.from({ length: 5 }, () => ask('coroutine', { do: 'stream', parts: 20 })));

    const text = `${Array.from({ length: 20 }, (_, n) => `${n} `).join('')}end`;
    expect(streams.map((answer) => [answer.text, answer.headers['transfer-encoding']])).toEqual(Array.from({ length: 5 }, () => [text, 'chunked']));
  });

  it('is cancelled for a client that hangs up and for a deadline that passes, and for nobody else', async () => {
    await register('patient');
    const stays = ask('patient', { do: 'wait', gate: 'late' });
    const late = await ask('patient', { do: 'wait', gate: 'late' }, { 'x-sconce-timeout-ms': '50' });
    const leaving = new AbortController();
    const body = '{"do":"wait","gate":"late"}';
    const headers = { 'content-type': 'application/octet-stream' };
    const gone = fetch(`${server.inference}/predictions/patient`, { method: 'POST', body, headers, signal: leaving.signal }).catch(() => 'gone');
    await server.eventually(async () => (await handlerOf('patient')).running === 2, 'two wait');

    leaving.abort();

    expect([late.status, late.headers['x-sconce-reason'], await gone]).toEqual([504, 'deadline', 'gone']);
    await server.eventually(async () => (await handlerOf('patient')).cancelled === 2, 'both coroutines have ended');
    await ask('patient', { do: 'open', gate: 'late' });
    expect((await stays).status).toBe(200);
  });

  it('loses a request that takes longer than responseTimeout, and neither its worker nor the others', async () => {
    await register('slow', 'responseTimeout: 1\n');
    const [pid] = await workerPids('slow');

    const late = await ask('slow', { do: 'wait', gate: 'never' });

    expect([late.status, late.headers['x-sconce-reason']]).toEqual([500, 'handler_timeout']);
    await server.eventually(async () => (await handlerOf('slow')).cancelled === 1, 'the coroutine has ended');
    expect(await workerPids('slow')).toEqual([pid]);
  });

  it('answers all when the worker dies, and serves the next with a new one', async () => {
    const waiting = Array.from({ length: 20 }, () => ask('coroutine', { do: 'wait', gate: 'death' }));
    await server.eventually(async () => (await handlerOf('coroutine')).running === 20, 'all are at the worker');

    await ask('coroutine', { do: 'exit' });

    expect(new Set((await Promise.all(waiting)).map(({ status, headers }) => `${status} ${headers['x-sconce-reason']}`))).toEqual(new Set(['500 worker_lost']));
    expect((await ask('coroutine', { do: 'nothing' })).text).toBe('nothing');
  });
});

async function workerPids(model: string): Promise<readonly number[]> {
  const schema = z.array(z.object({ workers: z.array(z.object({ pid: z.number() })) }).loose());
  return schema.parse((await server.manage('GET', `/models/${model}`)).json())[0]?.workers.map(({ pid }) => pid) ?? [];
}
