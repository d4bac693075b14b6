import { Agent } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { call, RunningServer } from './running-server.js';

const server = new RunningServer();
const JSON_BODY = { 'content-type': 'application/json' };

beforeAll(async () => {
  const noop = await archive(server.store, { name: 'noop', handler: 'noop.py', config: 'jobQueueSize: 2000\nminWorkers: 2\nmaxWorkers: 2\n' });
  const narrow = await archive(server.store, { name: 'narrow', handler: 'scripted.py', config: 'jobQueueSize: 2\nminWorkers: 1\nmaxWorkers: 1\n' });
  const impatient = await archive(server.store, {
    name: 'impatient',
    handler: 'scripted.py',
    config: 'clientTimeoutInMills: 300\nminWorkers: 1\nmaxWorkers: 1\n',
  });
  await server.start({ args: ['--models', noop, narrow, impatient], config: { sconce_header_timeout_s: '2' } });
});

afterAll(() => server.dispose());

describe('under load', () => {
  it('1,000 concurrent connections are all answered', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1000 });

    const answers = await Promise.all(Array.from({ length: 1000 }, () => server.predict('noop', { agent })));

    agent.destroy();
    expect(answers.filter((answer) => answer.status === 200 && answer.text === 'ok')).toHaveLength(1000);
    expect(new Set(answers.map((answer) => answer.headers['x-request-id'])).size).toBe(1000);
  });

  it('a full queue answers 503 with its reason at once, keeps its promises to those inside, and other models do not notice', async () => {
    const wishes = Array.from({ length: 6 }, () => server.predict('narrow', { body: '{"do":"sleep","seconds":0.5}', headers: JSON_BODY }));
    const other = await server.predict('noop');

    const answers = await Promise.all(wishes);

    expect(other.status).toBe(200);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(3);
    const refused = answers.filter((answer) => answer.status === 503);
    expect(refused).toHaveLength(3);
    expect(refused.map((answer) => answer.headers['x-sconce-reason'])).toEqual(['queue_full', 'queue_full', 'queue_full']);
    expect(refused[0]?.json()).toMatchObject({
      type: 'ServiceUnavailableException',
      message: expect.stringContaining('Model "narrow" has no worker to serve inference request'),
    });
  });

  it('a client deadline is answered 504 and not left hanging', async () => {
    const { status, headers } = await server.predict('impatient', { body: '{"do":"sleep","seconds":1}', headers: JSON_BODY });

    expect([status, headers['x-sconce-reason']]).toEqual([504, 'deadline']);
  });

  it('the queued request of a client that hung up never reaches the handler', async () => {
    const running = server.predict('narrow', { body: '{"do":"sleep","seconds":0.6}', headers: JSON_BODY });
    await server.eventually(async () => (await pending()) === 0 && server.output.length > 0, 'it runs');
    const { port } = new URL(server.inference);
    const body = '{"do":"shout","lines":1}';
    const leaver = connect(Number(port), '127.0.0.1', () => {
      leaver.write(`POST /predictions/narrow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    await server.eventually(async () => (await pending()) === 1, 'it waits');
    leaver.destroy();
    await server.eventually(async () => (await pending()) === 0, 'it is dropped');
    await running;

    await server.predict('narrow', { body: '{"do":"nothing"}', headers: JSON_BODY });
    expect(server.log('model_log.log')).not.toContain('x'.repeat(1000));
  });

  it('a client that sends its head a byte a second is cut off while others are served', async () => {
    const { port } = new URL(server.inference);
    const slow = connect(Number(port), '127.0.0.1');
    const closed = new Promise<void>((resolve) => slow.on('close', () => resolve()));
    slow.on('error', () => undefined);
    slow.on('data', () => undefined);
    const drip = setInterval(() => slow.write('P'), 200);

    const { status } = await server.predict('noop');
    await closed;

    clearInterval(drip);
    expect(status).toBe(200);
  });

  it('/ready and /ping answer while every worker is busy and the queue is full', async () => {
    const wishes = Array.from({ length: 4 }, () => server.predict('narrow', { body: '{"do":"sleep","seconds":0.5}', headers: JSON_BODY }));

    const answers = await Promise.all([call(`${server.inference}/ready`), call(`${server.inference}/ping`)]);

    expect(answers.map((answer) => answer.status)).toEqual([200, 200]);
    await Promise.all(wishes);
  });
});

async function pending(): Promise<number> {
  return JSON.parse((await server.manage('GET', '/models/narrow')).text)[0].jobQueueStatus.pendingRequests;
}
