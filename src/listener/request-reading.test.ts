import { afterEach, describe, expect, it } from 'vitest';
import { aListener, answerTo, closeListeners, heldExchanges, serverStillAnswers } from '../../test/fixtures/listening.js';

afterEach(closeListeners);

describe('reading a request', () => {
  it('a trailing slash makes no difference and %2F separates segments', async () => {
    const { client } = await aListener();
    const one = await client();
    const segmentsFor = async (target: string): Promise<unknown> =>
      JSON.parse((await answerTo(one, `GET ${target} HTTP/1.1\r\nHost: elsewhere\r\n\r\n`)).body).segments;

    expect(await segmentsFor('/ping/')).toEqual(['ping']);
    expect(await segmentsFor('/predictions%2Fm%2f1.0?x=%')).toEqual(['predictions', 'm', '1.0']);
    expect(await segmentsFor('http://elsewhere/ping')).toEqual(['ping']);
  });

  it('a broken percent escape in the path is 403', async () => {
    const { client } = await aListener();
    for (const target of ['/a%', '/a%2', '/%zz', '/%']) {
      const answer = await answerTo(await client(), `GET ${target} HTTP/1.1\r\nHost: elsewhere\r\n\r\n`);
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body).type).toBe('IllegalArgumentException');
    }
  });

  it('a body of exactly the limit is accepted, with a length or in chunks', async () => {
    const { client } = await aListener({ limits: { maxRequestBytes: 100_000 } });
    const one = await client();
    const body = 'x'.repeat(100_000);

    const sized = await answerTo(one, `POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 100000\r\n\r\n${body}`);
    const chunked = await answerTo(
      one,
      `POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\n\r\n${(60_000).toString(16)}\r\n${body.slice(0, 60_000)}\r\n${(40_000).toString(16)}\r\n${body.slice(60_000)}\r\n0\r\n\r\n`,
    );

    expect(JSON.parse(sized.body)).toMatchObject({ bytes: 100_000, text: body });
    expect(JSON.parse(chunked.body)).toMatchObject({ bytes: 100_000, text: body });
  });

  it('a body in chunks is told to handlers by its length', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler });
    const one = await client();

    one.send('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n');

    expect((await next()).request.headers).toEqual([
      ['Host', 'x'],
      ['content-length', '5'],
    ]);
  });

  it('a body one byte over the limit is 413 with nothing in it, and is not logged', async () => {
    const { client, answers } = await aListener({ limits: { maxRequestBytes: 100 } });
    const announced = await client();
    const chunked = await client();

    announced.send(`POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 101\r\n\r\n${'x'.repeat(101)}`);
    chunked.send(`POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\n\r\n65\r\n${'x'.repeat(101)}\r\n0\r\n\r\n`);

    for (const one of [announced, chunked]) {
      expect(await one.closed()).toBe('HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
    }
    expect(answers).toEqual([]);
    await serverStillAnswers(client);
  });

  it('a client that is still sending its too large body sees the 413', async () => {
    const { client } = await aListener({ limits: { maxRequestBytes: 100 } });
    const one = await client();

    one.send('POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 3000000\r\n\r\n');
    await one.until((text) => text.includes('413'));
    for (let i = 0; i < 30; i++) one.send('x'.repeat(100_000));

    expect(await one.closed()).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('Expect: 100-continue is answered before the body, or with 413', async () => {
    const { client } = await aListener({ limits: { maxRequestBytes: 5 } });
    const fits = await client();
    const tooLarge = await client();

    fits.send('POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\nExpect: 100-continue\r\n\r\n');
    await fits.until((text) => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    fits.send('hello');
    await fits.until((text) => text.includes('"text": "hello"'));

    tooLarge.send('POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 6\r\nExpect: 100-continue\r\n\r\n');
    expect(await tooLarge.closed()).toBe('HTTP/1.1 413 Request Entity Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
  });

  it('another expectation is 417', async () => {
    const { client } = await aListener();

    expect((await answerTo(await client(), 'GET / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n')).status).toBe(417);
  });

  it('HEAD has the length and no body, CONNECT closes, Upgrade is ignored', async () => {
    const { client } = await aListener();
    const one = await client();

    one.send('HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n');
    const head = await one.until((text) => text.endsWith('\r\n\r\n'));
    expect(head).toMatch(/content-length: [1-9]/);
    expect(head).not.toContain('segments');

    const upgrade = await answerTo(
      await client(),
      'GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n',
    );
    expect(upgrade.status).toBe(200);

    const connecting = await client();
    connecting.send('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n');
    await connecting.closed();
    await serverStillAnswers(client);
  });
});

describe('an unreadable request', () => {
  const cases: Readonly<Record<string, string>> = {
    'no HTTP at all': 'hello there\r\n\r\n',
    'a length and chunks together': 'POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    'two lengths': 'POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello',
    'a length that is no number': 'POST / HTTP/1.1\r\nHost: x\r\ncontent-length: +5\r\n\r\nhello',
    'a transfer encoding that is not chunked at its end': 'POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked, identity\r\n\r\nhello',
    'a folded header': 'GET / HTTP/1.1\r\nHost: x\r\nx: a\r\n b\r\n\r\n',
    'a header ended by a bare line feed': 'GET / HTTP/1.1\r\nHost: x\r\nx: a\ny: b\r\n\r\n',
    'a bare carriage return in a header': 'GET / HTTP/1.1\r\nHost: x\r\nx: a\rb\r\n\r\n',
    'a space before the colon': 'GET / HTTP/1.1\r\nHost: x\r\nx : a\r\n\r\n',
    'a NUL in a header': 'GET / HTTP/1.1\r\nHost: x\r\nx: a\0b\r\n\r\n',
    'a chunk size that is no number': 'POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n',
    'a request line over 4096 bytes': `GET /${'a'.repeat(4096)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    'headers over 8192 bytes': `GET / HTTP/1.1\r\nHost: x\r\nx: ${'a'.repeat(8192)}\r\n\r\n`,
    'headers over every limit': `GET / HTTP/1.1\r\nHost: x\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`,
    'a foreign protocol': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  };
  for (const [what, bytes] of Object.entries(cases)) {
    it(`with ${what} is 400 and closes`, async () => {
      const { client, answers } = await aListener();
      const one = await client();

      const answer = await answerTo(one, bytes);
      await one.closed();

      expect(answer.statusLine).toBe('HTTP/1.1 400 Bad Request');
      expect(JSON.parse(answer.body)).toEqual({ code: 400, type: 'BadRequestException', message: 'Invalid HTTP message.' });
      expect(answer.headers.get('connection')).toBe('close');
      expect(answer.headers.has('x-request-id')).toBe(true);
      expect(answers).toMatchObject([{ method: 'GET', target: '/bad-request', protocol: 'HTTP/1.1', status: 400, peer: `/${one.address}` }]);
      await serverStillAnswers(client);
    });
  }

  it('behind a good one is refused after the good one’s answer', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler });
    const one = await client();

    one.send('GET /good HTTP/1.1\r\nHost: x\r\n\r\n');
    const good = await next();
    one.send('nonsense\r\n\r\n');
    good.reply.send(200, 'good');

    expect((await one.answer()).body).toBe('good');
    expect((await one.answer()).status).toBe(400);
    await one.closed();
  });
});

describe('a slow client', () => {
  it('that sends its headers too slowly is told 408 and closed', async () => {
    const { client } = await aListener({ limits: { headersTimeoutMs: 60 } });
    const half = await client();
    const silent = await client();

    half.send('GET / HTTP/1.1\r\nHost: x\r\nx: ');

    expect(await half.closed()).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n[\s\S]*"type": "RequestTimeoutException"/);
    await silent.closed();
    await serverStillAnswers(client);
  });

  it('that sends its body too slowly is told 408 and closed', async () => {
    const { client } = await aListener({ limits: { headersTimeoutMs: 60, requestTimeoutMs: 60 } });
    const one = await client();

    one.send('POST / HTTP/1.1\r\nHost: x\r\ncontent-length: 100\r\n\r\nabc');

    expect(await one.closed()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('that reads nothing of its answer is cut', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler, limits: { writeStallMs: 50 } });
    const one = await client();
    one.pause();

    one.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { request, reply } = await next();
    const gone = new Promise<void>((resolve) => request.closed.addEventListener('abort', () => resolve()));
    reply.open(200, []);
    reply.chunk(Buffer.alloc(50_000_000));

    await gone;
    one.resume();
    expect((await one.closed()).length).toBeLessThan(50_000_000);
  });

  it('makes `chunk` give false when more than the limit waits', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler, limits: { maxUnreadAnswerBytes: 1_000_000 } });
    const one = await client();
    one.pause();
    one.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { reply } = await next();

    reply.open(200, []);
    let accepted = 0;
    while (reply.chunk(Buffer.alloc(1_000_000))) accepted++;
    reply.abort();

    expect(accepted).toBeLessThan(100);
  });
});
