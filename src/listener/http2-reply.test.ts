import { constants } from 'node:http2';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/fixtures/eventually.js';
import { aDoor, answerOf, ask, closeHttp2 } from '../../test/fixtures/http2-listening.js';
import { heldExchanges } from '../../test/fixtures/listening.js';
import type { HttpRequest } from '../api/http-exchange.js';

afterEach(closeHttp2);

describe('an answer over HTTP/2', () => {
  it('streams its answer piece by piece, and is cut where the handler fails', async () => {
    const { handler, next } = heldExchanges();
    const { session } = await aDoor({ handler });
    const one = session();
    const [whole, cut] = [ask(one, { ':path': '/whole' }), ask(one, { ':path': '/cut' })];

    for (const { request, reply } of [await next(), await next()]) {
      reply.open(200, []);
      reply.chunk(Buffer.from('one '));
      reply.chunk(Buffer.from('two'));
      if (request.target === '/whole') reply.end();
      else reply.abort();
    }

    expect(await whole).toMatchObject({ status: 200, text: 'one two', reset: constants.NGHTTP2_NO_ERROR });
    expect(await cut).toMatchObject({ status: 200, text: 'one two', reset: constants.NGHTTP2_INTERNAL_ERROR });
  });

  it.each([
    ['GET', 204],
    ['GET', 205],
    ['GET', 304],
    ['HEAD', 200],
    ['HEAD', 503],
  ])('%s answered with %i ends without a body', async (method, status) => {
    const { session } = await aDoor({ handler: (_request, reply) => reply.send(status, 'a body') });

    expect(await ask(session(), { ':method': method, ':path': '/' })).toMatchObject({ status, text: '', reset: constants.NGHTTP2_NO_ERROR });
  });

  it('never lets a handler’s header split the answer, change its framing or replace the common headers', async () => {
    const { session, answers } = await aDoor({
      handler: (_request, reply) =>
        reply.send(200, 'body', [
          ['x-split', 'a\r\nset-cookie: b'],
          ['bad name', 'x'],
          [':status', '500'],
          ['Transfer-Encoding', 'chunked'],
          ['Content-Length', '1'],
          ['Connection', 'close'],
          ['X-Request-Id', 'forged'],
          ['pragma', 'cache'],
          ['Twice', '1'],
          ['twice', '2'],
          ['x-text', 'caf\u00e9 \u2603'],
        ]),
    });

    const { headers, text } = await ask(session(), { ':path': '/' });

    expect(text).toBe('body');
    expect(headers).toMatchObject({
      ':status': 200,
      'x-split': 'a??set-cookie: b',
      'content-length': '4',
      pragma: 'no-cache',
      twice: '2',
      'x-text': 'caf\u00e9 ?',
    });
    expect(headers['x-request-id']).toBe(answers[0]?.requestId);
    for (const name of ['set-cookie', 'bad name', 'transfer-encoding', 'connection']) expect(headers).not.toHaveProperty(name);
  });

  it.each([
    ['a long one', [['x-long', 'z'.repeat(2 ** 20)]]],
    ['ten thousand', Array.from({ length: 10_000 }, (_, index) => [`x-${index}`, 'z'])],
  ] as [string, [string, string][]][])('HH19 is 500 where a handler gives more headers than a client takes: %s', async (_, headers) => {
    let streaming: HttpRequest | undefined;
    const { session } = await aDoor({
      handler: (request, reply) => {
        if (request.target === '/whole') return reply.send(200, 'x', headers);
        streaming = request;
        reply.open(200, headers);
        reply.chunk(Buffer.from('x'));
        reply.end();
      },
    });
    const one = session();

    for (const path of ['/whole', '/stream']) {
      const { status, headers: seen, text } = await ask(one, { ':path': path });
      expect([status, seen['x-sconce-reason'], JSON.parse(text).message]).toEqual([
        500,
        'handler_fault',
        expect.stringContaining('over HTTP/2 they may take 60000'),
      ]);
    }
    expect(streaming?.closed.aborted).toBe(true);
  });

  it('carries the CORS headers in its answer, and a preflight is answered here', async () => {
    const { handler, next } = heldExchanges();
    const { session } = await aDoor({ handler, cors: [['access-control-allow-origin', 'https://page.example']] });
    const one = session();

    const preflight = await ask(one, { ':method': 'OPTIONS', ':path': '/', 'access-control-request-method': 'POST' });
    const asked = ask(one, { ':path': '/' });
    (await next()).reply.send(200, 'x');

    for (const { status, headers } of [preflight, await asked])
      expect([status, headers['access-control-allow-origin'], headers['cross-origin-resource-policy']]).toEqual([200, 'https://page.example', undefined]);
  });

  it('answers that wait for their client refuse no further request of it', async () => {
    const { handler, next } = heldExchanges();
    const { session } = await aDoor({ handler });
    const one = session();
    const [big, more] = [Array.from({ length: 60 }, () => one.request({ ':path': '/' })), Array.from({ length: 40 }, () => one.request({ ':path': '/' }))];
    for (const stream of big) stream.pause();

    for (let i = 0; i < 60; i++) (await next()).reply.send(200, Buffer.alloc(1_000_000));
    const small = more.map(answerOf);
    for (let i = 0; i < 40; i++) (await next()).reply.send(200, 'x');

    expect((await Promise.all(small)).filter(({ text }) => text !== 'x')).toEqual([]);
    const whole = big.map(answerOf);
    for (const stream of big) stream.resume();
    expect((await Promise.all(whole)).filter(({ text }) => text.length !== 1_000_000)).toEqual([]);
  });

  it('HT8 a client that opens no window for its answer is cut off', async () => {
    const { handler, next } = heldExchanges();
    const { session } = await aDoor({ handler, limits: { writeStallMs: 100, maxUnreadAnswerBytes: 2 ** 20 } });
    const stream = session().request({ ':path': '/' });
    stream.on('error', () => undefined);
    const { request, reply } = await next();
    const { closed } = request;

    reply.open(200, []);
    while (reply.chunk(Buffer.alloc(65_536))) await new Promise(setImmediate);

    await eventually(
      () => closed.aborted,
      () => 'the handler is told',
    );
  });
});
