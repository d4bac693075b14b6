import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../fixtures/eventually.js';
import { aListener, answerTo, closeListeners, heldExchanges, serverStillAnswers } from '../fixtures/listening.js';
import type { RawClient } from '../fixtures/raw-http.js';

afterEach(closeListeners);

/** Sends a byte now and then until the connection is closed; gives what came back. */
async function dripped(one: RawClient, everyMs: number): Promise<string> {
  const dripping = setInterval(() => one.send('x'), everyMs);
  try {
    return await one.closed();
  } finally {
    clearInterval(dripping);
  }
}

describe('a client that sends slowly', () => {
  it('HT6 five hundred connections that drip a header are closed, and honest ones are answered meanwhile', async () => {
    const { client } = await aListener({ limits: { headersTimeoutMs: 300 } });
    const slow = await Promise.all(Array.from({ length: 500 }, () => client()));
    for (const one of slow) one.send('GET / HTTP/1.1\r\nHost: x\r\nx: ');

    const ends = slow.map((one) => dripped(one, 50));
    for (let i = 0; i < 20; i++) await serverStillAnswers(client);

    for (const text of await Promise.all(ends)) expect(text).toMatch(/^$|^HTTP\/1\.1 408 /);
    await serverStillAnswers(client);
  });

  it('HT7 a body below the least rate is 408, and its request never reaches the handler', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler, limits: { headersTimeoutMs: 200, minBodyBytesPerS: 240 } });
    const one = await client();

    one.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 ** 20}\r\n\r\n`);
    expect(await dripped(one, 40)).toMatch(/^HTTP\/1\.1 408 /);

    const honest = await client();
    honest.send('GET /honest HTTP/1.1\r\nHost: x\r\n\r\n');
    const { request, reply } = await next();
    reply.send(200, 'ok');
    expect(request.target).toBe('/honest');
  });

  it('HT7 so is one that begins fast and then stops, and one that is refused anyway', async () => {
    const { client } = await aListener({ limits: { headersTimeoutMs: 200 } });
    const fast = await client();
    const refused = await client();

    fast.send(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 ** 20}\r\n\r\n${'x'.repeat(100_000)}`);
    refused.send('POST / HTTP/1.1\r\nHost: x\r\nHost: y\r\nContent-Length: 100\r\n\r\n');

    expect(await fast.closed()).toMatch(/^HTTP\/1\.1 408 /);
    expect(await refused.closed()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('HT7 and one that was refused for its length, announced or sent in chunks: its 413 is all that it gets', async () => {
    const { client } = await aListener({ limits: { headersTimeoutMs: 200, maxRequestBytes: 1000 } });
    const announced = await client();
    const chunked = await client();

    announced.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\nx');
    chunked.send(`POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n${'x'.repeat(2000)}\r\n`);

    for (const one of [announced, chunked]) expect(await one.closed()).toMatch(/^HTTP\/1\.1 413 [\s\S]*\r\n\r\n$/);
  });

  it('HT7 a body at twice the least rate is read whole', async () => {
    const { client } = await aListener({ limits: { headersTimeoutMs: 200, minBodyBytesPerS: 50 } });
    const one = await client();
    one.send('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n');

    const dripping = setInterval(() => one.send('x'), 10);
    const answer = await one.answer().finally(() => clearInterval(dripping));

    expect(answer.status).toBe(200);
  });
});

describe('a client that reads slowly', () => {
  it('HT8 is cut off after the send time, and no more than the limit is kept for it', async () => {
    const { handler, next } = heldExchanges();
    const { client } = await aListener({ handler, limits: { writeStallMs: 200, maxUnreadAnswerBytes: 2 ** 20 } });
    const one = await client();
    one.pause();
    one.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const { request, reply } = await next();
    const { closed } = request;
    const residentBefore = process.memoryUsage().rss;

    reply.open(200, []);
    while (reply.chunk(Buffer.alloc(65_536))) await new Promise(setImmediate);
    await eventually(
      () => closed.aborted,
      () => 'the worker is told that its client is gone',
    );

    expect(process.memoryUsage().rss - residentBefore).toBeLessThan(64 * 2 ** 20);
  });
});

describe('too many connections', () => {
  it('HT12 idle ones past the limit of their address are closed, and one of another address is served', async () => {
    const { listener, client, log } = await aListener({ limits: { maxConnectionsPerAddress: 50, maxConnections: 100 } });
    const all = await Promise.all(Array.from({ length: 500 }, () => client()));

    await eventually(
      () => all.filter((one) => one.isClosed).length === 450,
      () => '450 of 500 are closed',
    );
    const answer = await new Promise<string>((resolve, reject) => {
      const other = connect({ port: listener.port ?? 0, host: '127.0.0.1', localAddress: '127.0.0.2' });
      other.on('error', reject);
      other.once('data', (bytes) => {
        other.destroy();
        resolve(bytes.toString());
      });
      other.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    });

    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(log.lines.filter((line) => line.includes('the limit for one address'))).toHaveLength(1);
  });

  it('HT12 their places are free again when they go', async () => {
    const { client } = await aListener({ limits: { maxConnectionsPerAddress: 2 } });
    const [first, second] = [await client(), await client()];
    await (await client()).closed();

    first.close();
    second.close();

    await eventually(
      async () => {
        const one = await client();
        one.send('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
        return (await one.answer().catch(() => undefined))?.status === 200;
      },
      () => 'a place is free',
    );
    expect((await answerTo(await client(), 'GET / HTTP/1.1\r\nHost: x\r\n\r\n')).status).toBe(200);
  });
});
