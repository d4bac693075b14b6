import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../fixtures/eventually.js';
import { type Flood, flood, floodsOf, GREETING, isSentAway } from '../fixtures/http2-flood.js';
import { FLAG, frame, framesIn, headerBlock } from '../fixtures/http2-frames.js';
import { aDoor, ask, certificate, closeHttp2 } from '../fixtures/http2-listening.js';
import { heldExchanges, type ListenerFacts } from '../fixtures/listening.js';
import { RawClient } from '../fixtures/raw-http.js';

const REQUEST = { ':method': 'POST', ':scheme': 'https', ':path': '/visible', ':authority': 'localhost' };
const CALL = headerBlock(REQUEST);
const CANCEL = Buffer.of(0, 0, 0, 8);
const MOST_MORE_BYTES = 200 * 2 ** 20;
const clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await closeHttp2();
});

/** A REST listener that speaks HTTP/2, and those who mean it ill. */
async function attacked(setting: ListenerFacts = {}) {
  const made = await aDoor(setting);
  const attacker = async (): Promise<RawClient> => {
    const one = await RawClient.openHttp2(made.port, certificate.cert);
    clients.push(one);
    one.send(GREETING);
    return one;
  };
  const stillAnswers = async (): Promise<void> => expect((await ask(made.session(), { ':path': '/ping' })).status).toBe(200);
  const seen = (): readonly string[] => made.answers.filter(({ status, target }) => status === 200 && target !== '/ping').map(({ target }) => target);
  return { ...made, attacker, stillAnswers, seen };
}

/** A head in one frame, or in as many as it takes. */
function headFrames(stream: number, block: Buffer, flags = 0): Buffer {
  const frames = [];
  for (let at = 0; at < block.length; at += 16_384) {
    const isLast = at + 16_384 >= block.length;
    frames.push(frame(at === 0 ? 'headers' : 'continuation', (at === 0 ? flags : 0) | (isLast ? FLAG.endHeaders : 0), stream, block.subarray(at, at + 16_384)));
  }
  return Buffer.concat(frames);
}

const isRefused = (one: RawClient, stream = 1): boolean =>
  isSentAway(one) || framesIn(one.received).some(({ type, stream: of }) => of === stream && (type === 'reset' || type === 'headers'));

describe('floods of frames', () => {
  const endless: Readonly<Record<string, Flood>> = {
    'rapid reset (CVE-2023-44487)': [
      Buffer.alloc(0),
      20_000,
      (index) => Buffer.concat([frame('headers', FLAG.endHeaders | FLAG.endStream, 2 * index + 1, CALL), frame('reset', 0, 2 * index + 1, CANCEL)]),
    ],
    'resets that the server is made to send (CVE-2025-8671)': [
      Buffer.alloc(0),
      20_000,
      (index) => Buffer.concat([frame('headers', FLAG.endHeaders, 2 * index + 1, CALL), frame('windowUpdate', 0, 2 * index + 1, Buffer.alloc(4))]),
    ],
    'data behind the end of a stream': [
      Buffer.alloc(0),
      20_000,
      (index) =>
        Buffer.concat([frame('headers', FLAG.endHeaders | FLAG.endStream, 2 * index + 1, CALL), frame('data', FLAG.endStream, 2 * index + 1, Buffer.alloc(8))]),
    ],
    ...floodsOf(CALL),
  };
  it.each(Object.entries(endless))('GR4 %s ends the connection of a REST address, and honest clients are answered', async (_, [first, count, each]) => {
    const { attacker, session, stillAnswers, listener } = await attacked({ limits: { keepAliveTimeoutMs: 1000, writeStallMs: 500 } });
    const [reading, deaf] = [await attacker(), await attacker()];
    deaf.pause();
    const residentBefore = process.memoryUsage().rss;
    const honest = session();

    const floods = [reading, deaf].map(async (one) => {
      one.send(first);
      await flood(one, count, each);
    });
    for (let i = 0; i < 20; i++) expect((await ask(honest, { ':path': '/ping' })).status).toBe(200);
    await Promise.all(floods);
    deaf.resume();

    await eventually(
      () => [reading, deaf].every(isSentAway),
      () => 'both are sent away',
    );
    await stillAnswers();
    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(MOST_MORE_BYTES);
    honest.close();
    for (const one of [reading, deaf]) one.close();
    // No request is left that nobody ends.
    const deadline = AbortSignal.timeout(20_000);
    await listener.drain(deadline);
    expect(deadline.aborted).toBe(false);
  });

  const allowed: Readonly<Record<string, (index: number) => Buffer>> = {
    PRIORITY: (index) => frame('priority', 0, 2 * (index % 5000) + 1, Buffer.of(0, 0, 0, 0, index & 0xff)),
    WINDOW_UPDATE: () => frame('windowUpdate', 0, 0, Buffer.of(0, 0, 0, 1)),
  };
  it.each(Object.entries(allowed))('GR4 %s without end keeps no idle connection of a REST address, and honest clients are answered', async (_, each) => {
    const { attacker, stillAnswers } = await attacked({ limits: { headersTimeoutMs: 500 } });
    const one = await attacker();
    const residentBefore = process.memoryUsage().rss;

    while (!one.isClosed) await flood(one, 1000, each);

    await stillAnswers();
    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(MOST_MORE_BYTES);
  });

  it('GR4 a request that is reset in the same breath is given up at once, and told nothing', async () => {
    const { handler, next } = heldExchanges();
    const { attacker } = await attacked({ handler });
    const one = await attacker();
    const asking = headerBlock({ ...REQUEST, expect: '100-continue', 'content-length': '1' });

    one.send(
      Buffer.concat([
        headFrames(1, CALL, FLAG.endStream),
        frame('reset', 0, 1, CANCEL),
        headFrames(3, asking),
        frame('reset', 0, 3, CANCEL),
        headFrames(5, headerBlock({ ...REQUEST, ':path': '/honest' }), FLAG.endStream),
      ]),
    );
    const [given, honest] = [await next(), await next()];
    const { closed } = given.request;
    await eventually(
      () => closed.aborted,
      () => 'it is given up',
    );
    given.reply.send(200, 'too late');
    honest.reply.send(200, 'ok');
    await one.until((received) => framesIn(received).some(({ type, stream }) => type === 'data' && stream === 5));

    expect(honest.request.target).toBe('/honest');
    expect(framesIn(one.received).filter(({ type, stream }) => (type === 'headers' || type === 'data') && stream === 1)).toEqual([]);
  });

  it('GR4 a connection that was ended for a breach of the protocol is let go of, though its client says nothing more', async () => {
    const { handler, next } = heldExchanges();
    const { attacker, stillAnswers } = await attacked({ handler, limits: { keepAliveTimeoutMs: 200, writeStallMs: 200 } });
    const one = await attacker();
    one.send(headFrames(1, CALL, FLAG.endStream));
    const { request } = await next();
    const { closed } = request;

    one.send(frame('data', FLAG.endStream, 1, Buffer.alloc(8)));

    await eventually(
      () => closed.aborted,
      () => 'the handler is told',
    );
    await one.closed();
    const answering = next().then(({ reply }) => reply.send(200, 'ok'));
    await stillAnswers();
    await answering;
  });

  it('GR4 a client that opens no window for its answer is cut off at a REST address', async () => {
    const { attacker, stillAnswers } = await attacked({ limits: { writeStallMs: 200 } });
    const one = await attacker();

    one.send(Buffer.concat([frame('settings', 0, 0, Buffer.of(0, 4, 0, 0, 0, 0)), headFrames(1, CALL, FLAG.endStream)]));

    await eventually(
      () => isSentAway(one) || framesIn(one.received).some(({ type, stream }) => type === 'reset' && stream === 1),
      () => 'its stream is reset',
    );
    await stillAnswers();
  });
});

describe('heads', () => {
  const bombs: Readonly<Record<string, readonly Buffer[]>> = {
    '10⁴ headers': Array.from({ length: 10_000 }, (_, index) => headerBlock({ [`x-${index}`]: 'y' })),
    'a value of 1 MiB': [headerBlock({ x: 'y'.repeat(2 ** 20) })],
    // One entry of 4 KB in the dynamic table, named sixteen thousand times: 64 MB of headers in 20 KB.
    'an HPACK bomb': [Buffer.concat([Buffer.of(0x40), headerBlock({ x: 'y'.repeat(4000) }).subarray(1)]), Buffer.alloc(16_000, 0x80 | 62)],
    'ten thousand changes of the table’s size': [Buffer.alloc(10_000, 0x20)],
    'an index that no table has': [Buffer.of(0xff, 0xff, 0xff, 0x7f)],
  };
  it.each(Object.entries(bombs))('GR5 %s reach no handler of a REST address', async (_, blocks) => {
    const { attacker, stillAnswers, seen } = await attacked();
    const one = await attacker();
    const residentBefore = process.memoryUsage().rss;

    one.send(headFrames(1, Buffer.concat([CALL, ...blocks]), FLAG.endStream));
    await eventually(
      () => isRefused(one),
      () => 'it is refused',
    );

    expect(seen()).toEqual([]);
    await stillAnswers();
    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(MOST_MORE_BYTES);
  });

  const without = ({ ':path': _path, ...rest }: typeof REQUEST): Readonly<Record<string, string>> => rest;
  const smuggled: Readonly<Record<string, Buffer>> = {
    'a coding of transfer': headerBlock({ ...REQUEST, 'transfer-encoding': 'chunked' }),
    'a header of the connection': headerBlock({ ...REQUEST, connection: 'close' }),
    'keep-alive': headerBlock({ ...REQUEST, 'keep-alive': 'timeout=5' }),
    'an upgrade': headerBlock({ ...REQUEST, upgrade: 'websocket' }),
    'te beside trailers': headerBlock({ ...REQUEST, te: 'gzip' }),
    'a capital in a name': headerBlock({ ...REQUEST, 'X-Mine': 'a' }),
    'a pseudo-header behind a header': headerBlock({ ':method': 'GET', x: 'a', ':scheme': 'https', ':path': '/', ':authority': 'localhost' }),
    'a pseudo-header twice': Buffer.concat([CALL, headerBlock({ ':path': '/hidden' })]),
    'an unknown pseudo-header': headerBlock({ ...REQUEST, ':hidden': '/' }),
    'a pseudo-header of answers': headerBlock({ ...REQUEST, ':status': '200' }),
    'the protocol of an extended CONNECT': headerBlock({ ...REQUEST, ':method': 'CONNECT', ':protocol': 'websocket' }),
    CONNECT: headerBlock({ ':method': 'CONNECT', ':authority': 'evil.example:25' }),
    'no path': headerBlock(without(REQUEST)),
    'an empty path': headerBlock({ ...REQUEST, ':path': '' }),
    'a path without its slash, of another scheme': headerBlock({ ...REQUEST, ':scheme': 'x', ':path': 'predictions/m' }),
    'a whole URL as path, of another scheme': headerBlock({ ...REQUEST, ':scheme': 'x', ':path': 'https://localhost/predictions/m' }),
    'a request line as method': headerBlock({ ...REQUEST, ':method': 'GET /hidden HTTP/1.1' }),
    'a method that nobody knows': headerBlock({ ...REQUEST, ':method': 'PRI' }),
    'a method in lower case': headerBlock({ ...REQUEST, ':method': 'post' }),
    'a line break in the path': headerBlock({ ...REQUEST, ':path': '/x HTTP/1.1\r\nhost: y' }),
    'two lengths': Buffer.concat([CALL, headerBlock({ 'content-length': '0' }), headerBlock({ 'content-length': '5' })]),
    'a length that is no number': headerBlock({ ...REQUEST, 'content-length': '0x5' }),
    'a host of its own': headerBlock({ ...REQUEST, host: 'evil.example' }),
    'user information in the authority': headerBlock({ ...REQUEST, ':authority': 'evil@localhost' }),
    'no authority': headerBlock({ ':method': 'POST', ':scheme': 'https', ':path': '/visible' }),
  };
  it.each(Object.entries(smuggled))('HT1 HT5 HT14 %s reaches no handler over HTTP/2', async (_, block) => {
    const { attacker, stillAnswers, seen } = await attacked();
    const one = await attacker();

    one.send(headFrames(1, block, FLAG.endStream));
    await eventually(
      () => isRefused(one),
      () => 'it is refused',
    );

    expect(seen()).toEqual([]);
    await stillAnswers();
  });

  it.each([
    ['a line break in its value', { x: 'a\r\nauthorization: Bearer secret' }],
    ['a NUL in its value', { authorization: 'Bearer secret\0' }],
    ['a blank in its name', { 'x y': 'a' }],
    ['a colon in its name', { 'authorization:x': 'Bearer secret' }],
  ])('HT5 a header with %s is none over HTTP/2', async (_, headers) => {
    const { handler, next } = heldExchanges();
    const { attacker } = await attacked({ handler });
    const one = await attacker();

    one.send(headFrames(1, headerBlock({ ...REQUEST, ...headers }), FLAG.endStream));
    const { request, reply } = await next();
    reply.send(200, 'ok');

    expect(request.headers).toEqual([['host', 'localhost']]);
  });

  it('HT1 pseudo-headers in trailers, and trailers without an end, reach no handler over HTTP/2', async () => {
    for (const [trailers, flags] of [
      [headerBlock({ ':path': '/hidden' }), FLAG.endStream],
      [headerBlock({ x: 'a' }), 0],
    ] as const) {
      const { attacker, stillAnswers, seen } = await attacked();
      const one = await attacker();

      one.send(Buffer.concat([headFrames(1, CALL), frame('data', 0, 1, Buffer.from('x')), headFrames(1, trailers, flags)]));
      await eventually(
        () => isRefused(one),
        () => 'it is refused',
      );

      expect(seen()).toEqual([]);
      await stillAnswers();
    }
  });
});

describe('slow clients over HTTP/2', () => {
  it('HT6 a hundred connections that drip a head are closed, and honest ones are answered meanwhile', async () => {
    const { attacker, stillAnswers } = await attacked({ limits: { headersTimeoutMs: 500 } });
    const slow = await Promise.all(Array.from({ length: 100 }, attacker));
    for (const one of slow) one.send(frame('headers', 0, 1, CALL));
    // What is a frame is at most one octet of a header here.
    const dripping = setInterval(() => {
      for (const one of slow) one.send(Buffer.of(0));
    }, 50);

    for (let i = 0; i < 10; i++) await stillAnswers();
    for (const one of slow) await one.closed();

    clearInterval(dripping);
    await stillAnswers();
  });

  it('HT7 a hundred bodies on one connection below the least rate are 408, and none reaches the handler', async () => {
    const { attacker, stillAnswers, seen } = await attacked({ limits: { headersTimeoutMs: 200, minBodyBytesPerS: 240 } });
    const one = await attacker();
    const streams = Array.from({ length: 100 }, (_, index) => 2 * index + 1);
    one.send(Buffer.concat(streams.map((stream) => headFrames(stream, headerBlock({ ...REQUEST, 'content-length': '1000000' })))));

    const dripping = setInterval(() => one.send(Buffer.concat(streams.map((stream) => frame('data', 0, stream, Buffer.of(120))))), 40);
    await eventually(
      () => new Set(framesIn(one.received).flatMap(({ type, stream }) => (type === 'headers' ? [stream] : []))).size === 100,
      () => 'all are answered',
    ).finally(() => clearInterval(dripping));

    expect(seen()).toEqual([]);
    await stillAnswers();
  });

  it('HT12 idle connections past the limit of their address are closed', async () => {
    const { attacker, port } = await attacked({ limits: { maxConnectionsPerAddress: 5 } });
    const kept = await Promise.all(Array.from({ length: 5 }, attacker));

    await expect(RawClient.openHttp2(port, certificate.cert)).rejects.toThrow();

    expect(kept.filter(({ isClosed }) => isClosed)).toEqual([]);
  });
});
