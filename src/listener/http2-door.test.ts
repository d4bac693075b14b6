import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/fixtures/eventually.js';
import { fixedTls } from '../../test/fixtures/fixed-tls.js';
import { FLAG, frame, headerBlock, PREFACE } from '../../test/fixtures/http2-frames.js';
import { ANY_CALLER, aListener, closeListeners, heldExchanges, type ListenerFacts } from '../../test/fixtures/listening.js';
import { QueueFull } from '../errors/scheduling.js';
import { createSelfSignedCertificate } from './self-signed-certificate.js';

const certificate = createSelfSignedCertificate();
const sessions: ClientHttp2Session[] = [];

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy();
  await closeListeners();
});

/** A listener over TLS that speaks both protocols, and a session with it. */
async function aDoor(setting: ListenerFacts = {}) {
  const made = await aListener({ address: { kind: 'tcp', host: '127.0.0.1', port: 0, secure: true }, tls: fixedTls(certificate), http2: true, ...setting });
  const port = made.listener.port ?? 0;
  const session = (): ClientHttp2Session => {
    const one = connectHttp2(`https://localhost:${port}`, { ca: certificate.cert });
    one.on('error', () => undefined);
    sessions.push(one);
    return one;
  };
  return { ...made, port, session };
}

interface Http2Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly reset: number;
}

function answerOf(stream: ClientHttp2Stream): Promise<Http2Answer> {
  return new Promise((resolve) => {
    let headers: IncomingHttpHeaders = {};
    let text = '';
    stream.on('response', (given) => {
      headers = given;
    });
    stream.on('data', (chunk) => {
      text += chunk;
    });
    stream.on('error', () => undefined);
    stream.on('close', () => resolve({ status: Number(headers[':status']) || undefined, headers, text, reset: stream.rstCode ?? 0 }));
  });
}

function ask(session: ClientHttp2Session, headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Http2Answer> {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  return answerOf(stream);
}

describe('a request over HTTP/2', () => {
  it('is answered as over HTTP/1.1, and told to the observer', async () => {
    const { session, answers } = await aDoor();
    const one = session();

    const { status, headers, text } = await ask(one, { ':method': 'POST', ':path': '/predictions/m?x=1', 'X-Mine': 'a' }, 'hello');

    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ method: 'POST', segments: ['predictions', 'm'], text: 'hello' });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers['cache-control']).toBe('no-cache; no-store, must-revalidate, private');
    expect(headers['content-length']).toBe(String(Buffer.byteLength(text)));
    expect(headers).not.toHaveProperty('date');
    expect(answers).toMatchObject([
      { method: 'POST', target: '/predictions/m?x=1', protocol: 'HTTP/2.0', status: 200, peer: expect.stringMatching(/^\/127\.0\.0\.1:\d+$/) },
    ]);
  });

  it('many at once on one connection are answered each for itself, in any order', async () => {
    const { handler, next } = heldExchanges();
    const { session } = await aDoor({ handler });
    const one = session();
    const asked = ['/a', '/b', '/c'].map((path) => ask(one, { ':path': path }));

    const exchanges = [await next(), await next(), await next()];
    for (const { request, reply } of exchanges.reverse())
      reply.send(200, request.target, [
        ['x-mine', 'b'],
        ['connection', 'close'],
        ['te', 'gzip'],
      ]);

    expect((await Promise.all(asked)).map(({ text }) => text)).toEqual(['/a', '/b', '/c']);
  });

  it('an error leaves the connection as it is', async () => {
    const { session } = await aDoor({ handler: (_request, reply) => reply.fail(QueueFull({ model: 'm' })) });
    const one = session();

    for (let i = 0; i < 2; i++) {
      const { status, headers, text } = await ask(one, { ':path': '/' });
      expect([status, headers['x-sconce-reason'], JSON.parse(text).code]).toEqual([503, 'queue_full', 503]);
    }
  });

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

  it('that its client cancels aborts `closed`; what is answered then is dropped', async () => {
    const { handler, next } = heldExchanges();
    const { session } = await aDoor({ handler });
    const stream = session().request({ ':path': '/' });
    stream.on('error', () => undefined);
    const { request, reply } = await next();
    const { closed } = request;

    stream.close(constants.NGHTTP2_CANCEL);
    await eventually(
      () => closed.aborted,
      () => 'the handler is told',
    );

    reply.send(200, 'too late');
  });

  it('HTTP/1.1 is spoken with those who ask for it, and alone where HTTP/2 is off', async () => {
    for (const http2 of [true, false]) {
      const { port } = await aDoor({ http2 });
      const status = await new Promise((resolve, reject) => {
        const sending = httpsRequest({ host: 'localhost', port, ca: certificate.cert, agent: false }, (answer) =>
          resolve(`${answer.httpVersion} ${answer.statusCode}`),
        );
        sending.on('error', reject);
        sending.end();
      });
      expect(status).toBe('1.1 200');
    }
    const { port } = await aDoor({ http2: false });
    const socket = connectTls({ host: 'localhost', port, ca: certificate.cert, ALPNProtocols: ['h2', 'http/1.1'] });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    expect(socket.alpnProtocol).toBe('http/1.1');
    socket.destroy();
  });
});

describe('limits over HTTP/2', () => {
  it('a body over the limit is 413, one of the limit is read', async () => {
    const { session } = await aDoor({ limits: { maxRequestBytes: 1000 } });
    const one = session();

    expect((await ask(one, { ':method': 'POST', ':path': '/' }, 'x'.repeat(1000))).status).toBe(200);
    expect((await ask(one, { ':method': 'POST', ':path': '/', 'content-length': '1001' }, 'x'.repeat(1001))).status).toBe(413);
    expect((await ask(one, { ':method': 'POST', ':path': '/' }, 'x'.repeat(1001))).status).toBe(413);
  });

  it('a body that is longer or shorter than it says reaches nobody', async () => {
    const { session, answers } = await aDoor();

    for (const length of ['3', '30'])
      expect((await ask(session(), { ':method': 'POST', ':path': '/lie', 'content-length': length }, 'x'.repeat(10))).status).toBeUndefined();

    expect(answers.filter(({ status }) => status === 200)).toEqual([]);
  });

  it('a body below the least rate, or never sent, is 408', async () => {
    const { session } = await aDoor({ limits: { headersTimeoutMs: 200, requestTimeoutMs: 300 } });
    const dripping = session().request({ ':method': 'POST', ':path': '/', 'content-length': '1000000' }, { endStream: false });
    const timer = setInterval(() => !dripping.destroyed && dripping.write('x'), 20);

    expect((await answerOf(dripping).finally(() => clearInterval(timer))).status).toBe(408);
  });

  it('headers over the limit are refused, the target’s too', async () => {
    const { session } = await aDoor();

    expect((await ask(session(), { ':path': `/${'a'.repeat(5000)}` })).status).toBe(400);
    expect((await ask(session(), { ':path': '/', x: 'a'.repeat(9000) })).status).toBe(400);
    expect((await ask(session(), { ':path': '/', x: 'a'.repeat(40_000) })).status).toBe(400);
    expect((await ask(session(), { ':path': '/', x: 'a'.repeat(200_000) }).catch(() => undefined))?.status).toBeUndefined();
    expect((await ask(session(), { ':path': '/' })).status).toBe(200);
  });

  it('HO1 HO3 host and origin are asked for', async () => {
    const { session } = await aDoor({ callers: { ...ANY_CALLER, hosts: { names: [], checked: true } } });
    const one = session();

    expect((await ask(one, { ':path': '/', ':authority': 'evil.example' })).status).toBe(421);
    expect((await ask(one, { ':path': '/', ':authority': 'user@localhost' })).status).toBe(400);
    expect((await ask(one, { ':path': '/', ':authority': 'localhost', host: 'evil.example' })).status).toBe(400);
    expect((await ask(one, { ':path': '/', ':method': 'POST', origin: 'https://evil.example' }, 'x')).status).toBe(403);
    expect((await ask(one, { ':path': '/', ':method': 'TRACE' })).status).toBe(405);
    expect((await ask(one, { ':path': '/' })).status).toBe(200);
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

  it('a connection that asks for nothing is closed, and so is an idle one', async () => {
    const { session } = await aDoor({ limits: { headersTimeoutMs: 50, keepAliveTimeoutMs: 50 } });
    const silent = session();
    const idle = session();
    const ends = [silent, idle].map((one) => new Promise((resolve) => one.on('close', resolve)));

    await ask(idle, { ':path': '/' });

    await Promise.all(ends);
  });

  it('GR4 rapid reset ends the connection, and others are answered', async () => {
    const { session, port } = await aDoor();
    const socket = connectTls({ host: 'localhost', port, ca: certificate.cert, ALPNProtocols: ['h2'] });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    let received = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
    });
    socket.on('error', () => undefined);
    const call = headerBlock({ ':method': 'POST', ':scheme': 'https', ':path': '/', ':authority': 'localhost' });

    socket.write(Buffer.concat([PREFACE, frame('settings', 0, 0)]));
    for (let i = 0; i < 5000; i++)
      socket.write(Buffer.concat([frame('headers', FLAG.endHeaders, 2 * i + 1, call), frame('reset', 0, 2 * i + 1, Buffer.of(0, 0, 0, 8))]));

    const goAway = frame('goAway', 0, 0).subarray(3, 9);
    await eventually(
      () => socket.destroyed || received.includes(goAway),
      () => 'it is sent away',
    );
    expect((await ask(session(), { ':path': '/' })).status).toBe(200);
    socket.destroy();
  });

  it('drain answers what had begun, takes nothing new, and closes', async () => {
    const { handler, next } = heldExchanges();
    const { session, listener } = await aDoor({ handler });
    const one = session();
    const asked = ask(one, { ':path': '/begun' });
    const { reply } = await next();
    const ended = new Promise((resolve) => one.on('close', resolve));

    const drained = listener.drain(AbortSignal.timeout(5000));
    reply.send(200, 'whole');

    expect((await asked).text).toBe('whole');
    await drained;
    await ended;
  });
});
