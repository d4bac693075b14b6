import { readFileSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, RunningServer } from '../e2e/running-server.js';

const onLinux = describe.runIf(process.platform === 'linux');
/** Where Node opens its debugger for a signal. */
const DEBUGGER_PORT = 9229;

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

onLinux('HH2 the server’s own process', () => {
  const server = new RunningServer();

  beforeAll(async () => {
    await server.start({ tokens: true });
  });

  afterAll(() => server.dispose());

  it('may leave no core dump, nor may anything that it starts', async () => {
    await server.outputHas('own process: it leaves no core dump and opens no debugger');
    expect(readFileSync(`/proc/${server.pid}/limits`, 'utf8')).toMatch(/^Max core file size\s+0\s/m);
  });

  it('opens no debugger for a signal, and serves on', async () => {
    const before = await isOpen(DEBUGGER_PORT);

    server.signal('SIGUSR1');

    expect((await call(`${server.inference}/ping`)).status).toBe(400);
    expect((await call(`${server.inference}/ping`)).status).toBe(400);
    expect([await isOpen(DEBUGGER_PORT), server.output.includes('Debugger listening')]).toEqual([before, false]);
  });

  it('writes what holds secrets for its owner alone', () => {
    for (const name of ['key_file.json', join('logs', 'sconce_audit.log')])
      expect([name, statSync(join(server.folder, name)).mode & 0o777]).toEqual([name, 0o600]);
  });
});

onLinux('a server that is started with a debugger', () => {
  const env = { NODE_OPTIONS: '--inspect=127.0.0.1:0' };

  it('warns of it', async () => {
    const server = new RunningServer();
    await server.start({ env });

    await server.outputHas('own process: a debugger is open, and whoever reaches it is the server; start it without --inspect');
    await server.dispose();
  });

  it('doesn’t start where its protection is strict', async () => {
    const server = new RunningServer();

    await expect(server.start({ env, config: { sconce_security: 'strict' } })).rejects.toThrow('the server ended before');

    await server.exited;
    await server.outputHas('start it without --inspect');
    await server.dispose();
  });
});
