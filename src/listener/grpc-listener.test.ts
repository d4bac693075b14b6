import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { collected } from '../../test/fixtures/grpc-client.js';
import { afterwards, cleanUp, encoded, framed, listening, PREDICTIONS_PATH, rawCall, sent, session } from '../../test/fixtures/grpc-listening.js';
import { KeptLog, silentObserver } from '../../test/fixtures/silent-observer.js';
import { InferenceAPIsServiceDefinition as Inference, type PredictionResponse } from '../api/grpc-generated/inference.js';
import { BindFailed } from '../errors/config.js';
import { ModelNotFound } from '../errors/model.js';
import { ANYONE } from '../inference/principal.js';
import { DEFAULT_GRPC_LIMITS } from './grpc-limits.js';
import { GrpcListener } from './grpc-listener.js';

const { ping, predictions, streamPredictions, streamPredictions2 } = Inference.methods;
const CERTIFICATES = new URL('../../test/fixtures/certificates/', import.meta.url);
const UNAVAILABLE = 14;

afterEach(cleanUp);

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

    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(encoded(sent('x'))), { 'grpc-timeout': timeout })).toMatchObject({ status: '0' });
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
  afterwards(() => void taken.close());
  const bound = taken.address();
  const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
  const listener = new GrpcListener({
    api: 'Management',
    host: '127.0.0.1',
    port,
    methods: [],
    authorize: () => ANYONE,
    limits: DEFAULT_GRPC_LIMITS,
    tls: undefined,
    hosts: { names: [], checked: true },
    observer: silentObserver(),
    log: new KeptLog(),
  });

  await expect(listener.start()).rejects.toSatisfy(BindFailed.is);
  await listener.stop();
});
