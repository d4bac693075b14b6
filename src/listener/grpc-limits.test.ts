import { constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { cleanUp, encoded, framed, listening, PREDICTIONS_PATH, rawCall, sent, session } from '../../test/fixtures/grpc-listening.js';
import { InferenceAPIsServiceDefinition as Inference } from '../api/grpc-generated/inference.js';

const { ping } = Inference.methods;

afterEach(cleanUp);

describe('what clients must not do', () => {
  it('longer messages than allowed are refused, exactly as many bytes are taken', async () => {
    const { address } = await listening({ limits: { maxMessageBytes: 1000 } });
    const fits = encoded(sent(Buffer.alloc(1000 - encoded(sent(Buffer.alloc(900))).length + 900)));
    expect(fits.length).toBe(1000);

    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(fits))).toMatchObject({ status: '0' });
    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(Buffer.concat([fits, Buffer.of(0)])))).toMatchObject({ status: '8' });
    expect(await rawCall(session(address), PREDICTIONS_PATH, Buffer.of(0, 255, 255, 255, 255), {}, false)).toMatchObject({ status: '8' });
  });

  it('a compressed message that unpacks to more than allowed is refused', async () => {
    const { address } = await listening({ limits: { maxMessageBytes: 100_000 } });
    const gzip = { 'grpc-encoding': 'gzip' };
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(100_000);

    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(gzipSync(encoded(sent('x'))), true), gzip)).toMatchObject({ status: '0' });
    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(bomb, true), gzip)).toMatchObject({ status: '8' });
    expect(await rawCall(session(address), PREDICTIONS_PATH, framed(bomb, true), { 'grpc-encoding': 'snappy' })).toMatchObject({ status: '12' });
  });

  it.each([
    ['no message', Buffer.alloc(0), '12'],
    ['two messages where one is due', Buffer.concat([framed(encoded(sent(''))), framed(encoded(sent('')))]), '12'],
    ['bytes that are no message', framed(Buffer.from([0xff, 0xff, 0xff])), '3'],
    ['groups nested without end', framed(Buffer.alloc(100_000, 0x0b)), '3'],
    ['a length beyond its end', framed(Buffer.of(0x0a, 0xff, 0xff, 0xff, 0x7f)), '3'],
  ])('%s is refused', async (_, body, status) => {
    const { address } = await listening();

    expect(await rawCall(session(address), PREDICTIONS_PATH, body)).toMatchObject({ status });
  });

  it.each([
    '/',
    '//',
    `/${PREDICTIONS_PATH}`,
    PREDICTIONS_PATH.toLowerCase(),
    PREDICTIONS_PATH.replace('/Pred', '%2FPred'),
    `${PREDICTIONS_PATH}/`,
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
    expect((await rawCall(made, PREDICTIONS_PATH, framed(encoded(sent(''))), many)).status).toBeUndefined();
    expect(
      (await rawCall(session(address), PREDICTIONS_PATH, framed(encoded(sent(''))), { long: 'y'.repeat(60_000), longer: 'y'.repeat(60_000) })).status,
    ).toBeUndefined();

    expect(await client().unary(ping, {})).toBeDefined();
  });

  it('a request whose message never comes ends in time', async () => {
    const { address } = await listening({ limits: { messageTimeoutMs: 50 } });

    expect(await rawCall(session(address), PREDICTIONS_PATH, Buffer.of(0, 0, 0, 0, 9, 1), {}, false)).toMatchObject({ status: '4' });
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
