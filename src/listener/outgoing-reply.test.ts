import { afterEach, describe, expect, it } from 'vitest';
import { aListener, answerTo, closeListeners, heldExchanges } from '../../test/fixtures/listening.js';

/** Names that every answer with a body carries, in the order in which they are sent. */
const COMMON = ['x-request-id', 'cross-origin-resource-policy', 'x-content-type-options', 'Pragma', 'Cache-Control', 'Expires', 'content-length', 'connection'];

afterEach(closeListeners);

describe('the head of an answer', () => {
  it('carries a fresh id and the cache headers in TorchServe’s spelling, and neither Date nor Server', async () => {
    const { client } = await aListener();
    const one = await client();

    const first = await answerTo(one, 'GET /a HTTP/1.1\r\nHost: x\r\nx-request-id: mine\r\n\r\n');
    const second = await answerTo(one, 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n');

    expect(first.statusLine).toBe('HTTP/1.1 200 OK');
    expect([...first.headers.keys()]).toEqual(['content-type', ...COMMON]);
    expect(first.headers.get('x-request-id')).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(second.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'));
    expect(first.headers.get('Pragma')).toBe('no-cache');
    expect(first.headers.get('Cache-Control')).toBe('no-cache; no-store, must-revalidate, private');
    expect(first.headers.get('Expires')).toBe('Thu, 01 Jan 1970 00:00:00 UTC');
    expect(first.headers.get('connection')).toBe('keep-alive');
  });

  it('has an empty reason phrase where the handler gave one, and its own words for unknown codes', async () => {
    const { client } = await aListener({
      handler: ({ segments }, reply) => (segments[0] === 'empty' ? reply.send(200, 'x', [], '') : reply.send(Number(segments[0]), 'x')),
    });
    const one = await client();

    expect((await answerTo(one, 'GET /empty HTTP/1.1\r\nHost: x\r\n\r\n')).statusLine).toBe('HTTP/1.1 200 ');
    expect((await answerTo(one, 'GET /299 HTTP/1.1\r\nHost: x\r\n\r\n')).statusLine).toBe('HTTP/1.1 299 Success (299)');
  });

  it.each(['404 Not Found', '413 Request Entity Too Large', '416 Requested Range Not Satisfiable', '418 Client Error (418)', '425 Unordered Collection'])(
    'says %s in TorchServe’s words',
    async (said) => {
      const { client } = await aListener({ handler: ({ segments }, reply) => reply.send(Number(segments[0]), 'x') });
      const one = await client();

      expect((await answerTo(one, `GET /${said.slice(0, 3)} HTTP/1.1\r\nHost: x\r\n\r\n`)).statusLine).toBe(`HTTP/1.1 ${said}`);
    },
  );

  it('never lets a handler’s header split the answer, change its framing or replace the common headers', async () => {
    const { client, answers } = await aListener({
      handler: (_request, reply) =>
        reply.send(
          200,
          'body',
          [
            ['x-split', 'a\r\nSet-Cookie: b'],
            ['bad name', 'x'],
            ['Transfer-Encoding', 'chunked'],
            ['Content-Length', '1'],
            ['X-Request-Id', 'forged'],
            ['pragma', 'cache'],
            ['Twice', '1'],
            ['twice', '2'],
          ],
          'all\r\nwell',
        ),
    });

    const answer = await answerTo(await client(), 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');

    expect(answer.statusLine).toBe('HTTP/1.1 200 all??well');
    expect([...answer.headers.keys()]).toEqual(['x-split', 'twice', ...COMMON]);
    expect(answer.headers.get('x-split')).toBe('a??Set-Cookie: b');
    expect(answer.headers.get('twice')).toBe('2');
    expect(answer.headers.get('content-length')).toBe('4');
    expect(answer.headers.get('x-request-id')).toBe(answers[0]?.requestId);
  });

  it('is 500 where a handler’s code is no final status', async () => {
    const { client } = await aListener({ handler: ({ segments }, reply) => reply.send(Number(segments[0]), 'x', [], 'Odd') });
    for (const code of ['100', '99', '1000', '0', '2.5']) {
      expect((await answerTo(await client(), `GET /${code} HTTP/1.1\r\nHost: x\r\n\r\n`)).statusLine).toBe('HTTP/1.1 500 Internal Server Error');
    }
  });

  it('of 204 has neither body nor length', async () => {
    const { client } = await aListener({ handler: (_request, reply) => reply.send(204, 'dropped') });
    const one = await client();

    const first = await answerTo(one, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');

    expect(first.headers.has('content-length')).toBe(false);
    expect(first.body).toBe('');
    expect((await answerTo(one, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(204);
  });
});

describe('a chunked answer', () => {
  it('sends one chunk per part and then the terminating one; the connection stays open', async () => {
    const { handler, next } = heldExchanges();
    const { client, answers } = await aListener({ handler });
    const one = await client();
    one.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { reply } = await next();

    reply.open(200, [['ts_stream_next', 'true']], '');
    reply.chunk(Buffer.from('one'));
    await one.until((text) => text.endsWith('3\r\none\r\n'));
    expect(answers).toHaveLength(1);
    reply.chunk(Buffer.from('two!'));
    reply.chunk(Buffer.from(''));
    reply.chunk(Buffer.from('three'));
    reply.end();

    const text = await one.until((received) => received.endsWith('0\r\n\r\n'));
    expect(text).toMatch(
      /^HTTP\/1\.1 200 \r\nts_stream_next: true\r\n[\s\S]*transfer-encoding: chunked\r\nconnection: keep-alive\r\n\r\n3\r\none\r\n4\r\ntwo!\r\n5\r\nthree\r\n0\r\n\r\n$/,
    );
    one.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    (await next()).reply.send(200, 'again');
    await one.until((received) => received.endsWith('again'));
  });

  it('that is aborted closes without the terminating chunk', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler });
    const one = await client();
    one.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { reply } = await next();

    reply.open(200, []);
    reply.chunk(Buffer.from('one'));
    await one.until((text) => text.endsWith('one\r\n'));
    reply.abort();

    expect(await one.closed()).toMatch(/3\r\none\r\n$/);
  });

  it('that is aborted in the turn of its chunks still hands them over', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler });
    const one = await client();
    one.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { reply } = await next();

    reply.open(200, []);
    reply.chunk(Buffer.from('one'));
    reply.chunk(Buffer.from('two!'));
    reply.abort();

    expect(await one.closed()).toMatch(/3\r\none\r\n4\r\ntwo!\r\n$/);
  });

  it('to HTTP/1.0 is ended by the connection’s end', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler });
    const one = await client();
    one.send('GET / HTTP/1.0\r\n\r\n');
    const { reply } = await next();

    reply.open(200, []);
    reply.chunk(Buffer.from('one'));
    reply.chunk(Buffer.from('two'));
    reply.end();

    expect(await one.closed()).toMatch(/connection: close\r\n\r\nonetwo$/);
  });
});

describe('CORS', () => {
  const cors = [
    ['access-control-allow-origin', 'https://a.example'],
    ['access-control-allow-methods', 'GET, POST'],
  ] as const;

  it('headers are on every answer, malformed requests’ too, unless the handler set its own', async () => {
    const { client } = await aListener({ cors, handler: (_request, reply) => reply.send(200, 'x', [['Access-Control-Allow-Origin', '*']]) });

    const own = await answerTo(await client(), 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const refused = await answerTo(await client(), 'nonsense\r\n\r\n');

    expect(own.headers.get('Access-Control-Allow-Origin')).toBe('*');
    expect(own.headers.has('access-control-allow-origin')).toBe(false);
    expect(own.headers.get('access-control-allow-methods')).toBe('GET, POST');
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://a.example');
  });

  it('preflights are answered without asking the handler, other OPTIONS requests are passed on', async () => {
    const { client } = await aListener({ cors });
    const one = await client();

    const preflight = await answerTo(one, 'OPTIONS /predictions/none HTTP/1.1\r\nHost: x\r\nOrigin: x\r\nAccess-Control-Request-Method: POST\r\n\r\n');
    const other = await answerTo(one, 'OPTIONS /predictions/none HTTP/1.1\r\nHost: x\r\n\r\n');

    expect(preflight).toMatchObject({ status: 200, body: '' });
    expect(preflight.headers.get('access-control-allow-methods')).toBe('GET, POST');
    expect(JSON.parse(other.body).method).toBe('OPTIONS');
  });

  it('without settings a preflight is an ordinary request', async () => {
    const { client } = await aListener();

    const answer = await answerTo(await client(), 'OPTIONS /a HTTP/1.1\r\nHost: x\r\nAccess-Control-Request-Method: POST\r\n\r\n');

    expect(JSON.parse(answer.body).method).toBe('OPTIONS');
    expect(answer.headers.has('access-control-allow-origin')).toBe(false);
  });
});
