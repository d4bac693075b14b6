import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { aListener, answerTo, closeListeners, heldExchanges, serverStillAnswers } from '../../test/fixtures/listening.js';
import { RawClient } from '../../test/fixtures/raw-http.js';
import { BindFailed } from '../errors/config.js';
import { QueueFull } from '../errors/scheduling.js';

const folders: string[] = [];
const clients: RawClient[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await closeListeners();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

describe('keeping a connection', () => {
  it('an answer of 400 or more closes it', async () => {
    const { client } = await aListener({ handler: (_request, reply) => reply.fail(QueueFull({ model: 'm' })) });
    const one = await client();

    const answer = await answerTo(one, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await one.closed();

    expect(answer.headers.get('connection')).toBe('close');
    expect(answer.headers.get('x-sconce-reason')).toBe('queue_full');
    expect(Object.keys(JSON.parse(answer.body))).toEqual(['code', 'type', 'message']);
    expect(answer.body).toMatch(/^\{\n {2}"code": 503,\n[\s\S]*\n\}\n$/);
  });

  it('a client’s Connection: close and HTTP/1.0 are honoured', async () => {
    const { client } = await aListener();
    for (const head of ['GET / HTTP/1.1\r\nHost: x\r\nConnection: close', 'GET / HTTP/1.0']) {
      const one = await client();
      const answer = await answerTo(one, `${head}\r\n\r\n`);
      await one.closed();
      expect(answer.headers.get('connection')).toBe('close');
    }
    const kept = await answerTo(await client(), 'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
    expect(kept.headers.get('connection')).toBe('keep-alive');
  });

  it('pipelined requests are answered in their order', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler });
    const one = await client();

    one.send('GET /first HTTP/1.1\r\nHost: x\r\n\r\nPOST /second HTTP/1.1\r\nHost: x\r\ncontent-length: 2\r\n\r\nokGET /third HTTP/1.1\r\nHost: x\r\n\r\n');
    const exchanges = [await next(), await next(), await next()];
    for (const { request, reply } of exchanges.reverse()) reply.send(200, `${request.segments[0]} ${Buffer.from(request.body)}`);

    expect([(await one.answer()).body, (await one.answer()).body, (await one.answer()).body]).toEqual(['first ', 'second ok', 'third ']);
  });

  it('an idle one is closed after the keep-alive time', async () => {
    const { client } = await aListener({ limits: { keepAliveTimeoutMs: 30 } });
    const one = await client();

    await answerTo(one, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');

    await one.closed();
  });

  it('more of them than the limit are closed at once, the others go on', async () => {
    const { client, log } = await aListener({ limits: { maxConnections: 2 } });
    const kept = [await client(), await client()];

    await (await client()).closed();

    for (const one of kept) expect((await answerTo(one, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(200);
    expect(log.lines.join('\n')).toContain('has 2 connections, its limit');
  });
});

describe('a client that leaves', () => {
  it('aborts `closed`, and what is answered afterwards is dropped', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler });
    const one = await client();
    one.send('GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /pipelined HTTP/1.1\r\nHost: x\r\n\r\n');
    const exchanges = [await next(), await next()];
    const allGone = Promise.all(exchanges.map(({ request }) => new Promise<void>((resolve) => request.closed.addEventListener('abort', () => resolve()))));

    one.close();
    await allGone;

    for (const { reply } of exchanges) {
      reply.send(200, 'too late');
      reply.abort();
    }
    await serverStillAnswers(async () => {
      void next().then(({ reply }) => reply.send(200, 'ok'));
      return client();
    });
  });

  it('after its answer does not abort `closed`', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler });
    const one = await client();
    one.send('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const { request, reply } = await next();
    const { closed } = request;

    reply.send(200, 'ok');
    await one.closed();

    expect(closed.aborted).toBe(false);
  });
});

describe('the life of a listener', () => {
  it('tells its address and each answer’s facts', async () => {
    const { listener, client, answers, log } = await aListener();
    const one = await client();

    const answer = await answerTo(one, 'POST /models?url=x HTTP/1.1\r\nHost: x\r\ncontent-length: 0\r\n\r\n');

    expect(log.lines).toEqual([`INFO Inference API bind to: http://127.0.0.1:${listener.port}`]);
    expect(answers).toMatchObject([
      { peer: `/${one.address}`, method: 'POST', target: '/models?url=x', protocol: 'HTTP/1.1', status: 200, requestId: answer.headers.get('x-request-id') },
    ]);
  });

  it('an address that is taken rejects the start', async () => {
    const { listener } = await aListener();
    const address = { kind: 'tcp', host: '127.0.0.1', port: listener.port ?? 0, secure: false } as const;

    const second = aListener({ address });

    await expect(second).rejects.toThrow(`Failed to bind to address: http://127.0.0.1:${listener.port}`);
    await expect(second).rejects.toSatisfy((error) => BindFailed.is(error));
  });

  it('drain lets what is in flight finish, closes its connection and takes nothing new', async () => {
    const { handler, next } = heldExchanges();
    const { listener, client } = await aListener({ handler });
    const idle = await client();
    idle.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    (await next()).reply.send(200, 'ok');
    await idle.answer();
    const busy = await client();
    busy.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { reply } = await next();

    const drained = listener.drain(new AbortController().signal);
    await idle.closed();
    await expect(client()).rejects.toThrow('ECONNREFUSED');
    reply.send(200, 'done');
    await drained;

    const answer = await busy.answer();
    expect(answer.body).toBe('done');
    expect(answer.headers.get('connection')).toBe('close');
    await busy.closed();
  });

  it('drain ends at its deadline and stop cuts what is left', async () => {
    const { handler, next } = heldExchanges();
    const { listener, client } = await aListener({ handler });
    const busy = await client();
    busy.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { request } = await next();
    const deadline = new AbortController();

    const drained = listener.drain(deadline.signal);
    deadline.abort();
    await drained;
    await listener.stop();

    await busy.closed();
    expect(request.closed.aborted).toBe(true);
  });

  it('serves a unix socket, replaces a stale one and removes its own', async () => {
    const folder = await aFolder();
    const path = join(folder, 'inference.sock');
    await leaveStaleSocket(path);
    const { listener, answers } = await aListener({ address: { kind: 'unix', path } });
    const one = await RawClient.open({ path });
    clients.push(one);

    expect((await answerTo(one, 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(200);
    expect(answers[0]?.peer).toBe(path);
    await listener.stop();

    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('never removes a file that is no socket, nor a socket that is in use', async () => {
    const folder = await aFolder();
    const file = join(folder, 'precious');
    await writeFile(file, 'data');
    const inUse = join(folder, 'in-use.sock');
    await aListener({ address: { kind: 'unix', path: inUse } });

    await expect(aListener({ address: { kind: 'unix', path: file } })).rejects.toThrow('a file that is no socket is in the way');
    await expect(aListener({ address: { kind: 'unix', path: inUse } })).rejects.toThrow('another server listens there');

    expect((await stat(file)).size).toBe(4);
  });
});

async function aFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sconce-listener-'));
  folders.push(folder);
  return folder;
}

/** What a killed server leaves: Node itself unlinks on close, so the file is moved aside for that moment. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await rename(path, `${path}.aside`);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await rename(`${path}.aside`, path);
}
