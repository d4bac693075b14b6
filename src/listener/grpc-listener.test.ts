import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2, constants } from 'node:http2';
import { connect as connectTcp, createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { collected, GrpcClient } from '../../test/fixtures/grpc-client.js';
import { KeptLog, silentObserver } from '../../test/fixtures/silent-observer.js';
import type { GrpcCall, GrpcReply } from '../api/grpc-exchange.js';
import { InferenceAPIsServiceDefinition as Inference, type PredictionResponse, type PredictionsRequest } from '../api/grpc-generated/inference.js';
import { GrpcService } from '../api/grpc-method.js';
import { TokenRefused } from '../errors/admission.js';
import { BindFailed } from '../errors/config.js';
import { ModelNotFound } from '../errors/model.js';
import type { GrpcAnswered } from '../observability/observer.js';
import { DEFAULT_GRPC_LIMITS, type GrpcLimits } from './grpc-limits.js';
import { GrpcListener } from './grpc-listener.js';
import type { TlsMaterial } from './tls.js';

const { ping, predictions, streamPredictions, streamPredictions2 } = Inference.methods;
const CERTIFICATES = new URL('../../test/fixtures/certificates/', import.meta.url);
const UNAVAILABLE = 14;
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Behaviour {
  readonly limits?: Partial<GrpcLimits>;
  readonly tls?: TlsMaterial;
  readonly token?: () => string;
  readonly predict?: (request: PredictionsRequest, call: GrpcCall) => PredictionResponse | Promise<PredictionResponse>;
  readonly stream?: (call: GrpcCall, reply: GrpcReply<PredictionResponse>) => void;
}

/** A listener whose methods do what the test says; otherwise they give back their input `data`. */
async function listening({ limits = {}, tls, token, predict, stream }: Behaviour = {}) {
  const log = new KeptLog();
  const answered: GrpcAnswered[] = [];
  const echo = ({ input }: PredictionsRequest): PredictionResponse => ({ prediction: input.get('data') ?? new Uint8Array() });
  const service = new GrpcService(Inference.fullName, (what, error) => log.error(what, error));
  const methods = [
    service.unary(ping, 'open', () => ({ health: 'yes' })),
    service.unary(predictions, 'infer', predict ?? echo),
    service.serverStream(streamPredictions, 'infer', (_request, call, reply) => stream?.(call, reply)),
    service.bidi(streamPredictions2, 'infer', (_call, reply) => ({ message: (request) => reply.send(echo(request)), halfClosed: () => reply.end() })),
  ];
  const listener = new GrpcListener({
    api: 'Inference',
    host: '127.0.0.1',
    port: 0,
    methods,
    authorize: (scope, authorization) => {
      if (scope !== 'open' && token !== undefined && authorization !== `Bearer ${token()}`) throw TokenRefused({});
    },
    limits: { ...DEFAULT_GRPC_LIMITS, ...limits },
    tls,
    observer: silentObserver({ grpcAnswered: (answer) => void answered.push(answer) }),
    log,
  });
  await listener.start();
  cleanups.push(() => listener.stop());
  const address = `127.0.0.1:${listener.port}`;
  const client = (root?: Buffer): GrpcClient => {
    const made = new GrpcClient(address, Inference.fullName, { 'grpc.max_receive_message_length': -1 }, root);
    cleanups.push(() => made.close());
    return made;
  };
  return { listener, address, client, log, answered };
}

const sent = (data: Uint8Array | string): PredictionsRequest => ({ modelName: 'm', modelVersion: '', input: new Map([['data', Buffer.from(data)]]) });

/** A bare HTTP/2 connection, for what no gRPC client sends. */
function session(address: string): ClientHttp2Session {
  const made = connectHttp2(`http://${address}`);
  made.on('error', () => undefined);
  cleanups.push(() => made.destroy());
  return made;
}

/** Sends raw frames to a method; gives the status that came, undefined when the stream was reset, with its code. */
function rawCall(made: ClientHttp2Session, path: string, body: Uint8Array, headers: Readonly<Record<string, string>> = {}, ends = true) {
  return new Promise<{ readonly status?: string; readonly http?: number; readonly reset?: number }>((resolve) => {
    const stream = made.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers });
    const seen: { status?: string; http?: number } = {};
    const take = (given: Readonly<Record<string, unknown>>): void => {
      if (typeof given[':status'] === 'number') seen.http = given[':status'];
      if (given['grpc-status'] !== undefined) seen.status = String(given['grpc-status']);
    };
    stream.on('response', take);
    stream.on('trailers', take);
    stream.on('error', () => undefined);
    stream.on('close', () => resolve(seen.status === undefined && stream.rstCode !== constants.NGHTTP2_NO_ERROR ? { ...seen, reset: stream.rstCode } : seen));
    stream.resume();
    if (ends) stream.end(body);
    else stream.write(body);
  });
}

function framed(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head[0] = compressed ? 1 : 0;
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const PREDICTIONS = `/${Inference.fullName}/Predictions`;
const encoded = (request: PredictionsRequest): Uint8Array => predictions.requestType.encode(request).finish();

describe('calls', () => {
  it('of all shapes are answered, and told to the observer', async () => {
    const { client, answered } = await listening({
      stream: (_call, reply) => [reply.send({ prediction: Buffer.from('1') }), reply.send({ prediction: Buffer.from('2') }), reply.end()],
    });
    const one = client();

    expect(await one.unary(ping, {})).toEqual({ health: 'yes' });
    expect(Buffer.from((await one.unary(predictions, sent('hello'))).prediction).toString()).toBe('hello');
    expect((await collected(one.serverStream(streamPredictions, sent('')))).messages.map(({ prediction }) => Buffer.from(prediction).toString())).toEqual([
      '1',
      '2',
    ]);
    const both = one.stream(streamPredictions2);
    both.write(sent('a'));
    both.write(sent('b'));
    both.end();
    expect((await collected<PredictionResponse>(both)).messages.map(({ prediction }) => Buffer.from(prediction).toString())).toEqual(['a', 'b']);
    expect(answered.map(({ method, code }) => [method.split('/')[1], code])).toEqual([
      ['Ping', 0],
      ['Predictions', 0],
      ['StreamPredictions', 0],
      ['StreamPredictions2', 0],
    ]);
    expect(answered[0]?.peer).toMatch(/^\/127\.0\.0\.1:\d+$/);
  });

  it('end with what the method threw; a fault of ours is logged and not told', async () => {
    const errors = [ModelNotFound({ model: 'x' }), new Error('secret')];
    const { client, log } = await listening({
      predict: () => {
        throw errors.shift();
      },
    });
    const one = client();

    expect(await one.failure(predictions, sent(''))).toMatchObject({ code: 5, details: expect.stringContaining('Model not found: x\n') });
    expect(await one.failure(predictions, sent(''))).toMatchObject({ code: 13, details: expect.not.stringContaining('secret') });
    expect(log.lines.join('\n')).toContain('secret');
  });

  it('that the client cancels, or whose deadline passes, abort the signal', async () => {
    const signals: AbortSignal[] = [];
    const { client, answered } = await listening({
      predict: (_request, call) => {
        signals.push(call.closed);
        return new Promise(() => undefined);
      },
    });
    const one = client();

    const late = await one.failure(predictions, sent(''), { options: { deadline: Date.now() + 100 } });
    await expect.poll(() => signals[0]?.aborted).toBe(true);

    expect(late.code).toBe(4);
    // The client may be a moment faster in cancelling than the server in noticing.
    expect([1, 4]).toContain(answered[0]?.code);
  });

  it.each(['3000000S', '99999999H', '1000m'])('have the time that they name: %s', async (timeout) => {
    const { address } = await listening();

    expect(await rawCall(session(address), PREDICTIONS, framed(encoded(sent('x'))), { 'grpc-timeout': timeout })).toMatchObject({ status: '0' });
  });

  it('need their token, each message of a stream anew', async () => {
    let token = 'one';
    const { client, answered } = await listening({ token: () => token });
    const one = client();

    expect(await one.failure(predictions, sent(''))).toEqual({
      code: 7,
      details: 'Token Authorization failed. Token either incorrect, expired, or not provided correctly',
    });
    expect(await one.unary(ping, {})).toBeDefined();
    expect(await one.unary(predictions, sent('x'), { token })).toBeDefined();
    const stream = one.stream(streamPredictions2, { token });
    const whole = collected<PredictionResponse>(stream);
    stream.write(sent('a'));
    await new Promise((resolve) => stream.once('data', resolve));
    token = 'two';
    stream.write(sent('b'));

    expect((await whole).end.code).toBe(7);
    // A refused call isn't told, as in TorchServe; a stream that was let in is.
    expect(answered.map(({ code }) => code)).toEqual([0, 0, 7]);
  });
});

describe('what clients must not do', () => {
  it('longer messages than allowed are refused, exactly as many bytes are taken', async () => {
    const { address } = await listening({ limits: { maxMessageBytes: 1000 } });
    const fits = encoded(sent(Buffer.alloc(1000 - encoded(sent(Buffer.alloc(900))).length + 900)));
    expect(fits.length).toBe(1000);

    expect(await rawCall(session(address), PREDICTIONS, framed(fits))).toMatchObject({ status: '0' });
    expect(await rawCall(session(address), PREDICTIONS, framed(Buffer.concat([fits, Buffer.of(0)])))).toMatchObject({ status: '8' });
    expect(await rawCall(session(address), PREDICTIONS, Buffer.of(0, 255, 255, 255, 255), {}, false)).toMatchObject({ status: '8' });
  });

  it('a compressed message that unpacks to more than allowed is refused', async () => {
    const { address } = await listening({ limits: { maxMessageBytes: 100_000 } });
    const gzip = { 'grpc-encoding': 'gzip' };
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(100_000);

    expect(await rawCall(session(address), PREDICTIONS, framed(gzipSync(encoded(sent('x'))), true), gzip)).toMatchObject({ status: '0' });
    expect(await rawCall(session(address), PREDICTIONS, framed(bomb, true), gzip)).toMatchObject({ status: '8' });
    expect(await rawCall(session(address), PREDICTIONS, framed(bomb, true), { 'grpc-encoding': 'snappy' })).toMatchObject({ status: '12' });
  });

  it.each([
    ['no message', Buffer.alloc(0), '12'],
    ['two messages where one is due', Buffer.concat([framed(encoded(sent(''))), framed(encoded(sent('')))]), '12'],
    ['bytes that are no message', framed(Buffer.from([0xff, 0xff, 0xff])), '3'],
    ['groups nested without end', framed(Buffer.alloc(100_000, 0x0b)), '3'],
    ['a length beyond its end', framed(Buffer.of(0x0a, 0xff, 0xff, 0xff, 0x7f)), '3'],
  ])('%s is refused', async (_, body, status) => {
    const { address } = await listening();

    expect(await rawCall(session(address), PREDICTIONS, body)).toMatchObject({ status });
  });

  it.each([
    '/',
    '//',
    `/${PREDICTIONS}`,
    PREDICTIONS.toLowerCase(),
    PREDICTIONS.replace('/Pred', '%2FPred'),
    `${PREDICTIONS}/`,
    '/grpc.channelz.v1.Channelz/GetServers',
  ])('the path %s is no method, token or not', async (path) => {
    const { address } = await listening({ token: () => 'secret' });

    expect(await rawCall(session(address), path, framed(encoded(sent(''))), { authorization: 'Bearer secret' })).toMatchObject({ status: '12' });
  });

  it('metadata without end is refused by HTTP/2, and the server goes on', async () => {
    const { address, client } = await listening();
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`x-${n}`, 'y']));

    const made = session(address);
    made.settings({ maxHeaderListSize: 10_000_000 });
    expect((await rawCall(made, PREDICTIONS, framed(encoded(sent(''))), many)).status).toBeUndefined();
    expect(
      (await rawCall(session(address), PREDICTIONS, framed(encoded(sent(''))), { long: 'y'.repeat(60_000), longer: 'y'.repeat(60_000) })).status,
    ).toBeUndefined();

    expect(await client().unary(ping, {})).toBeDefined();
  });

  it('a request whose message never comes ends in time', async () => {
    const { address } = await listening({ limits: { messageTimeoutMs: 50 } });

    expect(await rawCall(session(address), PREDICTIONS, Buffer.of(0, 0, 0, 0, 9, 1), {}, false)).toMatchObject({ status: '4' });
  });

  it('more connections than allowed are closed at once', async () => {
    const { address, client, log } = await listening({ limits: { maxConnections: 1 } });
    const one = client();
    await one.unary(ping, {});

    const [host = '', port] = address.split(':');
    const second = connectTcp(Number(port), host);
    await new Promise((resolve) => second.on('close', resolve).on('error', () => undefined));

    expect(log.lines.join()).toContain('has 1 connections, its limit');
    expect(await one.unary(ping, {})).toBeDefined();
  });

  it('a client that reads too slowly is cut off, and only its stream', async () => {
    let cut: AbortSignal | undefined;
    const { address, answered } = await listening({
      limits: { maxUnreadAnswerBytes: 1_000_000 },
      stream: (call, reply) => {
        cut = call.closed;
        const flood = (): void => {
          if (reply.ended) return;
          reply.send({ prediction: Buffer.alloc(100_000) });
          setImmediate(flood);
        };
        flood();
      },
    });
    const made = session(address);
    const stream = made.request({ ':method': 'POST', ':path': `/${Inference.fullName}/StreamPredictions`, 'content-type': 'application/grpc', te: 'trailers' });
    stream.on('error', () => undefined);
    stream.pause();
    stream.end(framed(encoded(sent(''))));

    await expect.poll(() => cut?.aborted).toBe(true);

    await expect.poll(() => answered.map(({ code }) => code)).toEqual([8]);
    expect(await rawCall(made, `/${Inference.fullName}/Ping`, framed(Buffer.alloc(0)))).toMatchObject({ status: '0' });
  });

  it('a client that reads nothing for a while is cut off', async () => {
    const { address, answered } = await listening({
      limits: { writeStallMs: 100 },
      stream: (_call, reply) => {
        reply.send({ prediction: Buffer.alloc(1_000_000) });
        reply.end();
      },
    });
    const stream = session(address).request({
      ':method': 'POST',
      ':path': `/${Inference.fullName}/StreamPredictions`,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => undefined);
    stream.pause();
    stream.end(framed(encoded(sent(''))));

    await new Promise((resolve) => stream.on('close', resolve));

    expect(stream.rstCode).toBe(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    expect(answered.map(({ code }) => code)).toEqual([0]);
  });
});

describe('the end', () => {
  it('answers what had begun, takes nothing new, and then closes the connections', async () => {
    let answer = (_: PredictionResponse): void => undefined;
    const { client, listener } = await listening({
      predict: () =>
        new Promise((resolve) => {
          answer = resolve;
        }),
    });
    const one = client();
    const begun = one.unary(predictions, sent(''));
    await expect.poll(() => answer.name).toBe('');

    const drained = listener.drain(AbortSignal.timeout(5000));
    expect((await one.failure(ping, {})).code).toBe(UNAVAILABLE);
    answer({ prediction: Buffer.from('late') });

    expect(Buffer.from((await begun).prediction).toString()).toBe('late');
    await drained;
  });

  it('does not wait beyond the deadline', async () => {
    const { client, listener } = await listening({ predict: () => new Promise(() => undefined) });
    const hung = client().failure(predictions, sent(''));
    await new Promise((resolve) => setImmediate(resolve));

    await listener.drain(AbortSignal.timeout(50));
    await listener.stop();

    expect([1, UNAVAILABLE]).toContain((await hung).code);
  });

  it('comes to old connections, which go on until their calls are answered', async () => {
    const { client, answered } = await listening({ limits: { maxConnectionAgeMs: 100, maxConnectionAgeGraceMs: 5000 } });
    const one = client();

    await expect
      .poll(
        async () => {
          await one.unary(ping, {});
          return new Set(answered.map(({ peer }) => peer)).size;
        },
        { timeout: 5000, interval: 20 },
      )
      .toBeGreaterThan(1);
  });
});

describe('TLS', () => {
  const file = (name: string): Buffer => readFileSync(new URL(name, CERTIFICATES));

  it.each([
    ['PEM files', { key: file('rsa-pkcs8.key.pem'), cert: file('rsa.crt.pem') }],
    ['a key store', { pfx: file('rsa.p12'), passphrase: 'changeit' }],
  ])('is spoken with the key of %s, and nothing else is', async (_, tls) => {
    const { client } = await listening({ tls });

    expect(await client(file('rsa.crt.pem')).unary(ping, {})).toEqual({ health: 'yes' });
    expect((await client().failure(ping, {}, { options: { deadline: Date.now() + 2000 } })).code).not.toBe(0);
  });
});

it('an address in use is told', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  cleanups.push(() => void taken.close());
  const bound = taken.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
  const listener = new GrpcListener({
    api: 'Management',
    host: '127.0.0.1',
    port,
    methods: [],
    authorize: () => undefined,
    limits: DEFAULT_GRPC_LIMITS,
    tls: undefined,
    observer: silentObserver(),
    log: new KeptLog(),
  });

  await expect(listener.start()).rejects.toSatisfy(BindFailed.is);
  await listener.stop();
});
