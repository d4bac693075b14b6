import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { call, RunningServer } from './running-server.js';

let server: RunningServer;

beforeEach(() => {
  server = new RunningServer();
});

afterEach(() => server.dispose());

describe('SIGTERM', () => {
  it('lets what was accepted finish, refuses what is new, and exits 0', async () => {
    const file = await archive(server.store, { name: 'slow', handler: 'scripted.py' });
    await server.start({ args: ['--models', `slow=${file}`], config: { default_workers_per_model: '1' } });
    const running = server.predict('slow', { body: '{"do":"sleep","seconds":1}', headers: { 'content-type': 'application/json' } });
    const queued = server.predict('slow', { body: '{"do":"nothing"}', headers: { 'content-type': 'application/json' } });
    await server.eventually(
      async () => JSON.parse((await server.manage('GET', '/models/slow')).text)[0].jobQueueStatus.pendingRequests === 1,
      'one runs and one waits',
    );

    server.signal('SIGTERM');

    expect((await running).status).toBe(200);
    expect((await queued).status).toBe(200);
    expect(await server.exited).toBe(0);
    await expect(call(`${server.inference}/ping`)).rejects.toThrow();
  });

  it('ends within the drain time although a handler never returns, and answers its caller', async () => {
    const file = await archive(server.store, { name: 'stuck', handler: 'scripted.py' });
    await server.start({
      args: ['--models', `stuck=${file}`],
      config: { default_workers_per_model: '1', sconce_drain_timeout_s: '1', ...server.sharing('stuck') },
    });
    const started = join(server.shared, 'started');
    const wish = JSON.stringify({ do: 'hold', started, until: join(server.shared, 'never') });
    const stuck = server.predict('stuck', { body: wish, headers: { 'content-type': 'application/json' } });
    await server.eventually(async () => existsSync(started), 'the handler has the request');

    server.signal('SIGTERM');

    const { status, headers } = await stuck;
    expect([status, headers['x-sconce-reason']]).toEqual([503, 'draining']);
    expect(await server.exited).toBe(0);
  });
});

describe('the start', () => {
  it('goes on without a start-up model that is broken, and serves the others', async () => {
    const file = await archive(server.store, { name: 'good', handler: 'noop.py' });

    await server.start({ args: ['--models', `missing=missing.mar`, `good=${file}`] });

    expect((await server.predict('good')).text).toBe('ok');
    await server.outputHas('Failed to load model: missing.mar');
  });

  it('does not unpack an archive again that it has unpacked before', async () => {
    const file = await archive(server.store, { name: 'kept', handler: 'noop.py' });
    await server.start({ args: ['--models', `kept=${file}`] });
    server.signal('SIGTERM');
    await server.exited;
    const unpackedOnce = server.log('ts_log.log').split('Unpacked ').length - 1;

    await server.start({ args: ['--models', `kept=${file}`] });

    expect((await server.predict('kept')).text).toBe('ok');
    expect(unpackedOnce).toBe(1);
    expect(server.log('ts_log.log').split('Unpacked ').length - 1).toBe(1);
  });

  it('with tokens on prints a curl line that works when it is pasted', async () => {
    const file = await archive(server.store, { name: 'noop', handler: 'noop.py' });
    await server.start({ tokens: true, args: ['--models', `noop=${file}`], waitForReady: false });
    await server.outputHas('\ncurl ');
    const line = server.output.split('\n').find((text) => text.startsWith('curl ')) ?? '';
    const [, key = ''] = /Authorization: Bearer (\S+?)['"]/.exec(line) ?? [];

    await server.eventually(async () => (await call(`${server.inference}/ready`)).status === 200, 'it is ready');
    expect((await call(`${server.inference}/predictions/noop`, { method: 'POST' })).status).toBe(400);
    expect((await call(`${server.inference}/predictions/noop`, { method: 'POST', headers: { authorization: `Bearer ${key}` } })).text).toBe('ok');
    expect(line).toContain(server.inference);
  });
});
