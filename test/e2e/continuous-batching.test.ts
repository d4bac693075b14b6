import { readFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { archive } from '../fixtures/archives.js';
import { type HttpResult, RunningServer } from './running-server.js';

const server = new RunningServer();

interface Wish {
  /** How many words, or what the handler does instead. */
  readonly words: number | 'exit' | 'raise';
  /** Bytes behind each word. */
  readonly size?: number;
}

/** A stream as a client reads it. */
interface Reading {
  text: string;
  readonly chunks: string[];
  readonly response: IncomingMessage;
  /** True when the stream came to its end, false when it was cut. */
  readonly whole: Promise<boolean>;
  hangUp(): void;
}

/** Resolves with the head; `paused`: the client reads nothing. */
function stream(model: string, wish: Wish, paused = false): Promise<Reading> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(`${server.inference}/predictions/${model}`, { method: 'POST', agent: false }, (response) => {
      const whole = new Promise<boolean>((ended) => {
        response.on('end', () => ended(response.complete));
        response.on('close', () => ended(response.complete));
      });
      response.on('error', () => undefined);
      const reading: Reading = { text: '', chunks: [], response, whole, hangUp: () => response.destroy() };
      if (!paused)
        response.on('data', (chunk: Buffer) => {
          reading.chunks.push(chunk.toString());
          reading.text += chunk.toString();
        });
      resolve(reading);
    });
    outgoing.on('error', reject);
    outgoing.end(JSON.stringify(wish));
  });
}

function words(count: number): string {
  return Array.from({ length: count }, (_, n) => `${n} `).join('');
}

function ask(model: string, wish: Wish): Promise<HttpResult> {
  return server.predict(model, { body: JSON.stringify(wish) });
}

const metadata = z.object({ steps: z.number(), cached: z.number(), batch: z.number() });

/** What the handler says of itself; a step of its own. */
async function handlerOf(model: string): Promise<z.infer<typeof metadata>> {
  const answer = await server.manage('GET', `/models/${model}?customized=true`);
  const [version] = z.array(z.object({ customizedMetadata: metadata }).loose()).parse(answer.json());
  if (version === undefined) throw new Error(answer.text);
  return version.customizedMetadata;
}

async function pending(model: string): Promise<number> {
  const schema = z.array(z.object({ jobQueueStatus: z.object({ pendingRequests: z.number() }) }).loose());
  return schema.parse((await server.manage('GET', `/models/${model}`)).json())[0]?.jobQueueStatus.pendingRequests ?? -1;
}

async function register(name: string, config = '', handler = 'token_stream.py'): Promise<void> {
  const file = await archive(server.store, { name, handler, config: `continuousBatching: true\nmaxBatchDelay: 5\n${config}` });
  const answer = await server.manage('POST', `/models?url=${file}&initial_workers=1`);
  expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('registered with 1 initial workers')]);
}

beforeAll(async () => {
  await server.start({ config: { job_queue_size: '20' } });
  await register('tokens', 'batchSize: 4\n');
});

afterAll(() => server.dispose());

describe('a model with continuous batching', () => {
  it('streams a chunk per step, with the head that TorchServe gives', async () => {
    const reading = await stream('tokens', { words: 5 });

    expect(await reading.whole).toBe(true);
    expect(reading.chunks).toEqual(['0 ', '1 ', '2 ', '3 ', '4 ']);
    expect(reading.response.statusCode).toBe(200);
    expect(reading.response.headers).toMatchObject({ ts_stream_next: 'true', 'content-type': 'text/plain', 'transfer-encoding': 'chunked' });
  });

  it('answers in one piece what ends with its first step', async () => {
    const { status, text, headers } = await ask('tokens', { words: 1 });

    expect([status, text, headers['content-length']]).toEqual([200, '0 ', '2']);
  });

  it('gives eight clients their streams whole while half of them hang up, and keeps nothing of those', async () => {
    const readings = await Promise.all(Array.from({ length: 4 }, () => stream('tokens', { words: 200 })));
    const later = Array.from({ length: 4 }, () => stream('tokens', { words: 40 }));

    for (const reading of readings.slice(0, 2)) reading.hangUp();
    for (const reading of await Promise.all(later)) readings.push(reading);
    for (const reading of readings.slice(4, 6)) reading.hangUp();
    const stayed = [...readings.slice(2, 4), ...readings.slice(6)];

    expect(await Promise.all(stayed.map(({ whole }) => whole))).toEqual([true, true, true, true]);
    expect(stayed.map(({ text }) => text)).toEqual([words(200), words(200), words(40), words(40)]);
    expect(await pending('tokens')).toBe(0);
    expect((await handlerOf('tokens')).cached).toBe(0);
    await server.logHas('model_log.log', /left: \d of \d/);
  });

  it('describes itself once, between the steps of others', async () => {
    const reading = await stream('tokens', { words: 100 });

    const first = await handlerOf('tokens');
    const second = await handlerOf('tokens');

    expect([first.batch, second.batch]).toEqual([1, 1]);
    expect(second.steps).toBeGreaterThanOrEqual(first.steps);
    expect(await reading.whole).toBe(true);
    expect(reading.text).toBe(words(100));
  });

  it('fails all that are active when a step fails, and serves the next', async () => {
    const active = await stream('tokens', { words: 1000 });

    const { status, json } = await ask('tokens', { words: 'raise' });

    expect([status, json()]).toEqual([503, { code: 503, type: 'InternalServerException', message: 'Prediction failed' }]);
    expect(await active.whole).toBe(false);
    expect((await ask('tokens', { words: 2 })).text).toBe(words(2));
  });

  it('answers everyone when the worker dies, those who wait by its successor', async () => {
    await register('mortal', 'batchSize: 2\n');
    const active = await stream('mortal', { words: 1000 });
    const killer = ask('mortal', { words: 'exit' });
    const waiting = ask('mortal', { words: 3 });

    expect([(await killer).status, await active.whole]).toEqual([500, false]);
    expect((await killer).text).toContain('Worker died.');
    const { status, text } = await waiting;
    expect(status === 200 ? text : status).toSatisfy((answer: unknown) => answer === words(3) || answer === 500);
    expect((await ask('mortal', { words: 2 })).text).toBe(words(2));
  });

  it('cuts a client that does not read, which holds no more than the buffer and leaves the set', async () => {
    await register('wide', 'batchSize: 2\nhandler:\n  seconds_per_step: 0\n');
    const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1024;
    const beforeMb = rss();
    const slow = await stream('wide', { words: 100_000, size: 1_000_000 }, true);
    const reader = await stream('wide', { words: 300 });

    expect(await reader.whole).toBe(true);
    expect(reader.text).toBe(words(300));
    await server.eventually(async () => server.output.includes('reads too slowly; its stream is cut'), 'the slow client is cut');
    await server.eventually(async () => (await handlerOf('wide')).cached === 0, 'its request has left');
    slow.response.resume();
    expect(await slow.whole).toBe(false);
    expect(rss() - beforeMb).toBeLessThan(200);
    expect(await pending('wide')).toBe(0);
  });

  it('with sequences runs a request beside the stream of its sequence, and the handler ends both', async () => {
    await register('chat', 'batchSize: 2\nsequenceBatching: true\nsequenceMaxIdleMSec: 60000\nmaxNumSequence: 1\nmaxSequenceJobQueueSize: 2\n', 'chat.py');
    const say = (text: string, sequence: string) => server.predict('chat', { body: text, headers: { ts_request_sequence_id: sequence } });
    const open = say('listen', 'x');
    await server.eventually(async () => (await say('ping', 'x')).text === 'pong 2', 'two requests of the sequence are active');

    expect((await say('hello', 'other')).status).toBe(503);
    const closing = await say('close', 'x');

    expect([closing.status, closing.headers.ts_request_sequence_end]).toEqual([200, 'x']);
    expect((await open).text).toMatch(/^(listening )+closed $/);
    expect((await say('hello', 'other')).text).toBe('hello');
  });

  it('gives out no more tickets than requests that may be active', async () => {
    await register('ticketed', 'batchSize: 2\nuseJobTicket: true\n');
    const active = [await stream('ticketed', { words: 500 }), await stream('ticketed', { words: 500 })];

    const { status, headers } = await ask('ticketed', { words: 1 });
    for (const reading of active) reading.hangUp();

    expect([status, headers['x-sconce-reason']]).toEqual([503, 'queue_full']);
    await server.eventually(async () => (await ask('ticketed', { words: 1 })).status === 200, 'there are tickets again');
  });
});
