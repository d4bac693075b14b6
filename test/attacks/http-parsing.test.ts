import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpHandler } from '../../src/api/http-exchange.js';
import { aListener, answerTo, closeListeners, heldExchanges, serverStillAnswers } from '../fixtures/listening.js';

afterEach(closeListeners);

const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
const post = (headers: string, body: string): string => `POST /visible HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${body}`;

/** Sends bytes, waits for the end of the connection, and gives all that came back with the targets of all requests that were seen. */
async function attacked(bytes: string | Uint8Array) {
  const { client, answers } = await aListener();
  const one = await client();
  one.send(bytes);
  const text = await one.closed();
  await serverStillAnswers(client);
  const seen = answers.map(({ target }) => target).filter((target) => target !== '/ping');
  return { text, seen, statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status)) };
}

describe('smuggling', () => {
  const refused: Readonly<Record<string, readonly [bytes: string, statuses: readonly number[]]>> = {
    'HT1 a length and chunks together': [post('Content-Length: 5\r\nTransfer-Encoding: chunked', `0\r\n\r\n${HIDDEN}`), [400]],
    'HT2 two lengths that differ': [post('Content-Length: 0\r\nContent-Length: 5', HIDDEN), [400]],
    'HT2 a list of lengths': [post('Content-Length: 5, 6', `hello${HIDDEN}`), [400]],
    'HT2 a signed length': [post('Content-Length: +5', `hello${HIDDEN}`), [400]],
    'HT2 a hexadecimal length': [post('Content-Length: 0x5', `hello${HIDDEN}`), [400]],
    'HT2 a length of 20 digits': [post(`Content-Length: ${'9'.repeat(20)}`, HIDDEN), [400]],
    'HT2 a length with a tab behind it': [post('Content-Length:  5\t', `hello${HIDDEN}`), [400]],
    'HT2 a negative length': [post('Content-Length: -1', HIDDEN), [400]],
    'HT3 an unknown transfer coding': [post('Transfer-Encoding: xchunked', `0\r\n\r\n${HIDDEN}`), [400]],
    'HT3 a coding beneath the chunks': [post('Transfer-Encoding: gzip, chunked', `0\r\n\r\n`), [501]],
    'HT3 chunks that are not the last coding': [post('Transfer-Encoding: chunked, identity', `0\r\n\r\n${HIDDEN}`), [400]],
    'HT3 two transfer codings': [post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked', '0\r\n\r\n'), [400]],
    'HT3 a vertical tab before the coding': [post('Transfer-Encoding: \x0bchunked', `0\r\n\r\n${HIDDEN}`), [400]],
    'HT3 chunks in HTTP/1.0': [`POST /visible HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`, [400]],
    'HT4 a negative chunk size': [post('Transfer-Encoding: chunked', '-1\r\nhello\r\n0\r\n\r\n'), [400]],
    'HT4 a chunk size past 64 bits': [post('Transfer-Encoding: chunked', 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'), [400]],
    'HT4 a chunk extension of 1 MiB': [post('Transfer-Encoding: chunked', `5;${'x'.repeat(2 ** 20)}\r\nhello\r\n0\r\n\r\n`), [400, 413]],
    'HT4 a bare line feed after a chunk size': [post('Transfer-Encoding: chunked', `5\nhello\r\n0\r\n\r\n${HIDDEN}`), [400]],
    'HT4 a chunk longer than its size': [post('Transfer-Encoding: chunked', `5\r\nhelloworld\r\n0\r\n\r\n${HIDDEN}`), [400]],
    'HT5 a bare line feed in the head': [`GET /visible HTTP/1.1\r\nHost: x\r\nx: a\ny: b\r\n\r\n`, [400]],
    'HT5 a bare carriage return in the head': [`GET /visible HTTP/1.1\r\nHost: x\r\nx: a\rb\r\n\r\n`, [400]],
    'HT5 a folded header': ['GET /visible HTTP/1.1\r\nHost: x\r\nx: a\r\n b\r\n\r\n', [400]],
    'HT5 a space before the colon': ['GET /visible HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello', [400]],
    'HT5 a NUL in a name': ['GET /visible HTTP/1.1\r\nHost: x\r\nx\0y: a\r\n\r\n', [400]],
    'HT5 a byte in a name that is no token': ['GET /visible HTTP/1.1\r\nHost: x\r\nx(y: a\r\n\r\n', [400]],
    'HT9 200 headers of 100 bytes': [`GET /visible HTTP/1.1\r\nHost: x\r\n${'x: '.padEnd(98, 'a').concat('\r\n').repeat(200)}\r\n`, [400]],
    'HT9 a header of 64 KiB': [`GET /visible HTTP/1.1\r\nHost: x\r\nx: ${'a'.repeat(65_536)}\r\n\r\n`, [400]],
    'HT9 a target of 64 KiB': [`GET /${'a'.repeat(65_536)} HTTP/1.1\r\nHost: x\r\n\r\n`, [400]],
    'HT14 CONNECT': ['CONNECT evil.example:25 HTTP/1.1\r\nHost: evil.example:25\r\n\r\n', [405]],
    'HT14 TRACE': ['TRACE /visible HTTP/1.1\r\nHost: x\r\nCookie: secret\r\n\r\n', [405]],
    'HT14 the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400]],
    'HT14 a method of 1 KiB': [`${'A'.repeat(1024)} /visible HTTP/1.1\r\nHost: x\r\n\r\n`, [400]],
    'HT14 a method in lower case': ['get /visible HTTP/1.1\r\nHost: x\r\n\r\n', [400]],
  };
  it.each(Object.entries(refused))('%s is refused, and nothing behind it is a request', async (_, [bytes, allowed]) => {
    const { text, seen, statuses } = await attacked(bytes);

    expect(statuses).toHaveLength(1);
    expect(allowed).toContain(statuses[0]);
    expect(seen).not.toContain('/hidden');
    expect(text).not.toContain('secret');
  });

  it('HT2 HT3 blanks before a length or a coding are no part of it: body and next request are what they are for everybody', async () => {
    const { client, answers } = await aListener();
    const one = await client();

    expect((await answerTo(one, post('Content-Length: \t5', 'hello'))).body).toContain('"text": "hello"');
    expect((await answerTo(one, post('Transfer-Encoding:\tchunked', '5\r\nhello\r\n0\r\n\r\n'))).body).toContain('"text": "hello"');
    expect((await answerTo(one, HIDDEN)).status).toBe(200);

    expect(answers.map(({ target }) => target)).toEqual(['/visible', '/visible', '/hidden']);
  });

  it('HT4 a body that never gets its last line is no request', async () => {
    const { client, answers } = await aListener({ limits: { headersTimeoutMs: 100, minBodyBytesPerS: 1000 } });
    const one = await client();

    one.send(post('Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\n'));

    expect(await one.closed()).toMatch(/^HTTP\/1\.1 408 /);
    expect(answers.map(({ target }) => target)).not.toContain('/visible');
    await serverStillAnswers(client);
  });

  it.each(['h2c', 'websocket', 'TLS/1.0'])('HT15 Upgrade: %s with a request in its body switches to nothing', async (protocol) => {
    const { client, answers } = await aListener();
    const one = await client();
    const upgrade = `Connection: Upgrade, HTTP2-Settings\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nSec-WebSocket-Key: x\r\nContent-Length: ${HIDDEN.length}`;

    const answer = await answerTo(one, post(upgrade, HIDDEN));

    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toMatchObject({ bytes: HIDDEN.length });
    expect(answers.map(({ target }) => target)).toEqual(['/visible']);
  });
});

describe('what a target can say', () => {
  it.each([
    ['//predictions/m', ['', 'predictions', 'm']],
    ['/predictions/../models', ['predictions', '..', 'models']],
    ['/predictions/%2e%2e/models', ['predictions', '..', 'models']],
    ['/predictions/m%00', ['predictions', 'm\0']],
    ['/predictions\\..\\models', ['predictions\\..\\models']],
    ['/predictions/%c0%ae%c0%ae/models', ['predictions', '����', 'models']],
    ['/predictions;x/m', ['predictions;x', 'm']],
  ])('HT13 %s is these segments and no other route’s', async (target, segments) => {
    const { client, answers } = await aListener();

    const answer = await answerTo(await client(), `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);

    expect(JSON.parse(Buffer.from(answer.body, 'latin1').toString()).segments).toEqual(segments);
    expect(answers.map((one) => one.target)).toEqual([target]);
  });

  it('HT13 HO2 a target in absolute form names the host that Host names', async () => {
    const { client } = await aListener();

    expect((await answerTo(await client(), 'GET http://x/ping HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(200);
    expect((await answerTo(await client(), 'GET http://elsewhere/ping HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(400);
  });
});

describe('sizes', () => {
  it('HT10 one byte over the limit is 413, with Expect before any of it is sent', async () => {
    const { client, answers } = await aListener({ limits: { maxRequestBytes: 100 } });
    const sent = [
      post('Content-Length: 101', 'x'.repeat(101)),
      post('Transfer-Encoding: chunked', `65\r\n${'x'.repeat(101)}\r\n0\r\n\r\n`),
      post('Content-Length: 101\r\nExpect: 100-continue', ''),
    ];

    for (const bytes of sent) {
      const one = await client();
      one.send(bytes);
      expect(await one.closed()).toMatch(/^HTTP\/1\.1 413 /);
    }

    expect(answers).toEqual([]);
    await serverStillAnswers(client);
  });

  it('HT16 a compressed body stays what it is: nothing here unpacks it', async () => {
    const { client } = await aListener();
    const bomb = gzipSync(Buffer.alloc(2 ** 22));
    const twice = gzipSync(bomb);
    const residentBefore = process.memoryUsage().rss;

    for (const [coding, body] of [
      ['gzip', bomb],
      ['gzip, gzip', twice],
      ['unheard-of', bomb],
    ] as const) {
      const one = await client();
      one.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`);
      one.send(body);
      expect(JSON.parse((await one.answer()).body).bytes).toBe(body.length);
    }

    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(64 * 2 ** 20);
  });
});

describe('pipelining', () => {
  it('HT11 ten thousand requests at once are worked on a few at a time, in their order, and dropped when the client goes', async () => {
    let [open, most, handled] = [0, 0, 0];
    const waiting: (() => void)[] = [];
    const handler: HttpHandler = (request, reply) => {
      open += 1;
      handled += 1;
      most = Math.max(most, open);
      waiting.push(() => {
        open -= 1;
        reply.send(200, request.target);
      });
    };
    const { client } = await aListener({ handler, limits: { maxPipelined: 8 } });
    const one = await client();

    one.send(Array.from({ length: 10_000 }, (_, index) => `GET /${index} HTTP/1.1\r\nHost: x\r\n\r\n`).join(''));
    while (handled < 500) {
      for (const answer of waiting.splice(0)) answer();
      await new Promise(setImmediate);
    }
    one.close();
    await one.closed();

    const targets = [...one.received.matchAll(/\r\n\r\n\/(\d+)/g)].map(([, index]) => Number(index));
    expect(most).toBe(8);
    expect(targets.slice(0, 200)).toEqual(Array.from({ length: 200 }, (_, index) => index));
    for (const answer of waiting.splice(0)) answer();
    const handledAtEnd = handled;
    const another = await client();
    another.send(HIDDEN);
    while (handled === handledAtEnd) await new Promise(setImmediate);
    for (const answer of waiting.splice(0)) answer();
    expect((await another.answer()).body).toBe('/hidden');
    expect(handled).toBe(handledAtEnd + 1);
  });

  it('HT11 all of them are answered to a client that stays, bodies included', async () => {
    const { client } = await aListener({ limits: { maxPipelined: 4 } });
    const one = await client();
    const count = 3000;

    one.send(Array.from({ length: count }, (_, index) => post(`Content-Length: ${String(index).length}`, String(index))).join(''));
    const text = await one.until((received) => received.split('"text"').length > count);

    expect([...text.matchAll(/"text": "(\d+)"/g)].map(([, index]) => Number(index))).toEqual(Array.from({ length: count }, (_, index) => index));
  });

  it('HT11 an answer that closes the connection ends those behind it', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler, limits: { maxPipelined: 1 } });
    const one = await client();

    one.send(HIDDEN.repeat(3));
    (await next()).reply.send(400, 'no');
    const text = await one.closed();

    expect(text.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });
});

describe('headers that claim something', () => {
  it('HT19 neither X-Forwarded-For nor a hop header changes who the peer is or what arrives', async () => {
    const { handler, next } = heldExchanges();
    const { client, answers } = await aListener({ handler });
    const one = await client();

    one.send(
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: authorization, close\r\nAuthorization: Bearer t\r\nX-Forwarded-For: 10.0.0.1\r\nForwarded: for=10.0.0.1\r\n\r\n',
    );
    const { request, reply } = await next();
    reply.send(200, 'ok');
    await one.closed();

    expect(request.header('authorization')).toBe('Bearer t');
    expect(answers.map(({ peer }) => peer)).toEqual([`/${one.address}`]);
  });
});
