import { connect as connectTcp } from 'node:net';
import { networkInterfaces } from 'node:os';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { InferenceAPIsServiceDefinition as Inference } from '../../src/api/grpc-generated/inference.js';
import { eventually } from '../fixtures/eventually.js';
import { cleanUp, encoded, framed, listening, PREDICTIONS_PATH, rawCall, sent, session } from '../fixtures/grpc-listening.js';
import { type Flood, flood, floodsOf, GREETING, isSentAway } from '../fixtures/http2-flood.js';
import { FLAG, frame, framesIn, headerBlock, PREFACE } from '../fixtures/http2-frames.js';
import { RawClient } from '../fixtures/raw-http.js';

const { ping, predictions } = Inference.methods;
const REQUEST = {
  ':method': 'POST',
  ':scheme': 'http',
  ':path': PREDICTIONS_PATH,
  ':authority': 'localhost',
  'content-type': 'application/grpc',
  te: 'trailers',
};
const CALL = headerBlock(REQUEST);
const CANCEL = Buffer.of(0, 0, 0, 8);
const MOST_MORE_BYTES = 200 * 2 ** 20;

afterEach(cleanUp);

async function attacker(port: number | undefined): Promise<RawClient> {
  const one = await RawClient.open({ port: port ?? 0 });
  one.send(GREETING);
  return one;
}

describe('floods of frames', () => {
  const endless: Readonly<Record<string, Flood>> = {
    'rapid reset (CVE-2023-44487)': [
      Buffer.alloc(0),
      20_000,
      (index) => Buffer.concat([frame('headers', FLAG.endHeaders, 2 * index + 1, CALL), frame('reset', 0, 2 * index + 1, CANCEL)]),
    ],
    ...floodsOf(CALL),
  };
  it.each(Object.entries(endless))('GR4 %s ends the connection, and honest clients are answered', async (_, [first, count, each]) => {
    const { listener, client } = await listening();
    const [reading, deaf] = [await attacker(listener.port), await attacker(listener.port)];
    deaf.pause();
    const residentBefore = process.memoryUsage().rss;
    const honest = client();
    await honest.unary(ping, {});

    const floods = [reading, deaf].map(async (one) => {
      one.send(first);
      await flood(one, count, each);
    });
    for (let i = 0; i < 20; i++) expect(await honest.unary(ping, {})).toEqual({ health: 'yes' });
    await Promise.all(floods);
    deaf.resume();

    await eventually(
      () => [reading, deaf].every(isSentAway),
      () => 'both are sent away',
    );
    expect(await honest.unary(ping, {})).toEqual({ health: 'yes' });
    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(MOST_MORE_BYTES);
  });

  const allowed: Readonly<Record<string, (index: number) => Buffer>> = {
    PRIORITY: (index) => frame('priority', 0, 2 * (index % 5000) + 1, Buffer.of(0, 0, 0, 0, index & 0xff)),
    WINDOW_UPDATE: () => frame('windowUpdate', 0, 0, Buffer.of(0, 0, 0, 1)),
  };
  it.each(Object.entries(allowed))('GR4 %s without end costs little, and honest clients are answered', async (_, each) => {
    const { listener, client } = await listening();
    const one = await attacker(listener.port);
    const residentBefore = process.memoryUsage().rss;
    const honest = client();

    const flooding = flood(one, 100_000, each);
    for (let i = 0; i < 20; i++) expect(await honest.unary(ping, {})).toEqual({ health: 'yes' });
    await flooding;

    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(MOST_MORE_BYTES);
  });

  it('GR4 a client that opens no window for its answer is cut off', async () => {
    const { listener, client } = await listening({ limits: { writeStallMs: 200 } });
    const one = await RawClient.open({ port: listener.port ?? 0 });

    const noWindow = Buffer.of(0, 4, 0, 0, 0, 0);
    one.send(Buffer.concat([PREFACE, frame('settings', 0, 0, noWindow), frame('headers', FLAG.endHeaders, 1, CALL)]));
    one.send(frame('data', FLAG.endStream, 1, framed(encoded(sent('x'.repeat(10_000))))));

    await eventually(
      () => isSentAway(one) || framesIn(one.received).some(({ type, stream }) => type === 'reset' && stream === 1),
      () => 'its stream is reset',
    );
    expect(await client().unary(ping, {})).toEqual({ health: 'yes' });
    one.close();
  });
});

describe('messages', () => {
  it('GR2 one byte more than allowed, or a length of 2³²−1 and then silence, is RESOURCE_EXHAUSTED', async () => {
    const { address } = await listening({ limits: { maxMessageBytes: 1000 } });
    const exact = encoded(sent('x'.repeat(1000 - (encoded(sent('x'.repeat(900))).length - 900))));

    expect(exact).toHaveLength(1000);
    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(exact))).toMatchObject({ status: '0' });
    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(Buffer.concat([exact, Buffer.of(0)])))).toMatchObject({ status: '8' });
    expect(await rawCall(session(address), PREDICTIONS_PATH, Buffer.of(0, 255, 255, 255, 255), {}, false)).toMatchObject({ status: '8' });
  });

  it('GR2 a message that is never sent ends at the deadline', async () => {
    const { address } = await listening({ limits: { messageTimeoutMs: 100 } });

    expect(await rawCall(session(address), PREDICTIONS_PATH, Buffer.of(0, 0, 0, 0, 9, 1), {}, false)).toMatchObject({ status: '4' });
  });

  it('GR2 a flood of empty messages is read one at a time', async () => {
    const { address, client } = await listening();
    const residentBefore = process.memoryUsage().rss;
    const path = PREDICTIONS_PATH.replace('Predictions', 'StreamPredictions2');

    const flooding = rawCall(session(address), path, Buffer.alloc(5 * 20_000));
    expect(await client().unary(ping, {})).toEqual({ health: 'yes' });

    expect(await flooding).toMatchObject({ status: '0' });
    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(MOST_MORE_BYTES);
  });

  it('GR3 what unpacks to more than allowed is RESOURCE_EXHAUSTED, an unknown coding UNIMPLEMENTED', async () => {
    const { address } = await listening({ limits: { maxMessageBytes: 100_000 } });
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20));

    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(bomb, true), { 'grpc-encoding': 'gzip' })).toMatchObject({ status: '8' });
    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(bomb, true), { 'grpc-encoding': 'br' })).toMatchObject({ status: '12' });
  });

  it.each([
    ['groups nested 10⁵ deep', Buffer.alloc(100_000, 0x0b)],
    ['a field of the wrong wire type', Buffer.of(0x08, 0x01)],
    ['a length beyond its end', Buffer.of(0x0a, 0xff, 0xff, 0xff, 0x7f)],
    ['a varint without end', Buffer.alloc(100, 0x80)],
  ])('GR7 %s is INVALID_ARGUMENT or nothing', async (_, message) => {
    const { address } = await listening();

    expect(['0', '3']).toContain((await rawCall(session(address), PREDICTIONS_PATH, framed(message))).status);
    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(encoded(sent(''))))).toMatchObject({ status: '0' });
  });

  it('GR7 a map of a million entries is read within the limit of its bytes', async () => {
    const { address } = await listening();
    const entries = Buffer.alloc(2 * 1_000_000, Buffer.of(0x1a, 0x00));

    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(entries))).toMatchObject({ status: '0' });
  });
});

describe('metadata', () => {
  const refusedByHttp2: Readonly<Record<string, readonly Buffer[]>> = {
    '10⁴ keys': Array.from({ length: 10_000 }, (_, index) => headerBlock({ [`x-${index}`]: 'y' })),
    'a value of 1 MiB': [headerBlock({ x: 'y'.repeat(2 ** 20) })],
    // One entry of 4 KB in the dynamic table, named sixteen thousand times: 64 MB of headers in 20 KB.
    'an HPACK bomb': [Buffer.concat([Buffer.of(0x40), headerBlock({ x: 'y'.repeat(4000) }).subarray(1)]), Buffer.alloc(16_000, 0x80 | 62)],
  };
  it.each(Object.entries(refusedByHttp2))('GR5 %s reaches no method', async (_, blocks) => {
    const { listener, client, answered } = await listening();
    const one = await attacker(listener.port);
    const block = Buffer.concat([CALL, ...blocks]);
    const residentBefore = process.memoryUsage().rss;

    one.send(frame('headers', block.length > 16_384 ? 0 : FLAG.endHeaders, 1, block.subarray(0, 16_384)));
    for (let at = 16_384; at < block.length; at += 16_384)
      one.send(frame('continuation', at + 16_384 >= block.length ? FLAG.endHeaders : 0, 1, block.subarray(at, at + 16_384)));
    await eventually(
      () => isSentAway(one) || framesIn(one.received).some(({ type, stream }) => stream === 1 && (type === 'reset' || type === 'headers')),
      () => 'it is refused',
    );

    expect(answered.filter(({ code }) => code === 0)).toEqual([]);
    expect(await client().unary(ping, {})).toEqual({ health: 'yes' });
    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(MOST_MORE_BYTES);
    one.close();
  });

  it.each([
    ['binary metadata that is no base64', { 'x-bin': '!!!' }],
    ['a line break in a value', { x: 'a\r\nauthorization: Bearer secret' }],
    ['a name with a blank', { 'x y': 'z' }],
  ])('GR5 %s authorises nothing and harms nobody', async (_, headers) => {
    const { listener, client, answered } = await listening({ token: () => 'secret' });
    const one = await attacker(listener.port);

    one.send(
      Buffer.concat([
        frame('headers', FLAG.endHeaders, 1, headerBlock({ ...REQUEST, ...headers })),
        frame('data', FLAG.endStream, 1, framed(encoded(sent('x')))),
      ]),
    );
    await eventually(
      () => isSentAway(one) || framesIn(one.received).some(({ stream }) => stream === 1),
      () => 'it is answered',
    );

    expect(answered).toEqual([]);
    expect(await client().unary(predictions, sent('x'), { token: 'secret' })).toEqual({ prediction: Buffer.from('x') });
    one.close();
  });
});

describe('names of methods', () => {
  it.each([
    PREDICTIONS_PATH.slice(1),
    `/${PREDICTIONS_PATH}`,
    PREDICTIONS_PATH.toLowerCase(),
    PREDICTIONS_PATH.replace('/Predictions', '%2fPredictions'),
    PREDICTIONS_PATH.replace('/Predictions', '/./Predictions'),
    `${PREDICTIONS_PATH}?x`,
    '/org.pytorch.serve.grpc.management.ManagementAPIsService/ListModels',
  ])('GR6 %s is UNIMPLEMENTED and never authorised', async (path) => {
    const { address, answered } = await listening({ token: () => 'secret' });

    const { status, reset } = await rawCall(session(address), path, framed(encoded(sent(''))), { authorization: 'Bearer secret' });

    expect(status ?? reset).toSatisfy((end) => end === '12' || typeof end === 'number');
    expect(answered).toEqual([]);
  });
});

describe('streams', () => {
  it('GR8 idle ones, and halves that close early, leave room for honest calls', async () => {
    const { listener, client } = await listening({ limits: { messageTimeoutMs: 300, maxConcurrentStreams: 100 } });
    const one = await attacker(listener.port);

    one.send(Buffer.concat(Array.from({ length: 100 }, (_, index) => frame('headers', FLAG.endHeaders | (index % 2), 2 * index + 1, CALL))));
    expect(await client().unary(ping, {})).toEqual({ health: 'yes' });
    await eventually(
      () => new Set(framesIn(one.received).flatMap(({ type, stream }) => (type === 'headers' || type === 'reset' ? [stream] : []))).size === 100,
      () => 'all have ended in time',
    );
    one.close();
  });

  it('GR8 nothing listens but on loopback (CVE-2024-35199)', async () => {
    const { listener } = await listening();
    const outside = Object.values(networkInterfaces()).flatMap(
      (addresses) => addresses?.filter(({ internal, family }) => !internal && family === 'IPv4') ?? [],
    );

    for (const { address: host } of outside) {
      const refused = await new Promise<unknown>((resolve) => {
        const socket = connectTcp({ host, port: listener.port ?? 0 }, () => resolve(socket.destroy()));
        socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      });
      expect(refused).toBe('ECONNREFUSED');
    }
  });
});
