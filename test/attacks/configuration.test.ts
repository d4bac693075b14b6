import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { call, RunningServer } from '../e2e/running-server.js';
import { sconce } from '../fixtures/token-servers.js';

/** Starts a server that is configured dangerously, and another one at the level strict. Gives what the first one said and why the second one did not start. */
async function told(config: Readonly<Record<string, string>>, prepare: (server: RunningServer) => void = () => undefined) {
  const server = new RunningServer();
  try {
    prepare(server);
    await server.start({ tokens: true, waitForReady: false, config });
    const { output } = server;
    server.signal('SIGTERM');
    await server.exited;
    const refusal = await server
      .start({ tokens: true, waitForReady: false, config: { ...config, sconce_security: 'strict', sconce_sandbox: 'standard' } })
      .then(
        () => 'it started',
        (error: unknown) => String(error),
      );
    return { warned: output.split('\n').filter((line) => line.includes('[WARN ]')), refusal };
  } finally {
    await server.dispose();
  }
}

describe('a dangerous configuration is warned of by name, and keeps a strict server from starting', () => {
  it('CF2 models from every URL', async () => {
    const { warned, refusal } = await told({ allowed_urls: '.*', enable_model_api: 'true' });

    expect(warned).toContainEqual(expect.stringContaining('locations: allowed_urls lets models come from every URL'));
    expect(refusal).toContain('locations does not hold');
  });

  it('CF3 a model store that everybody can write to', async () => {
    const { warned, refusal } = await told({}, (server) => chmodSync(server.store, 0o777));

    expect(warned).toContainEqual(expect.stringContaining('model store: anybody on this machine can put models into'));
    expect(refusal).toContain('model store does not hold');
  });

  it('CF4 CF3 a sandbox that is off', async () => {
    const { warned } = await told({ sconce_sandbox: 'off' });

    expect(warned).toContainEqual(expect.stringContaining('sandbox: handlers have all rights of the server'));
  });

  it('CF5 every web page lets in', async () => {
    const { warned, refusal } = await told({ cors_allowed_origin: '*' });

    expect(warned).toContainEqual(expect.stringContaining('web pages: every web page may read answers'));
    expect(refusal).toContain('web pages does not hold');
  });
});

describe('the text of a configuration', () => {
  it('CF6 of a variable is a value and nothing else, whatever it holds', async () => {
    const server = new RunningServer();
    try {
      await server.start({
        tokens: true,
        waitForReady: false,
        config: { model_server_home: '$$HOSTILE$$', disable_token_authorisation: 'true' },
        env: { HOSTILE: '/x\ndisable_token_authorization=true\\u000adisable_token_authorization=true' },
      });

      expect((await call(`${server.management}/models`)).status).toBe(400);
      await server.outputHas('unknown key disable_token_authorisation; did you mean disable_token_authorization?');
    } finally {
      await server.dispose();
    }
  });

  it('CF5 of a snapshot with hostile paths starts nothing', async () => {
    const server = new RunningServer();
    try {
      mkdirSync(join(server.folder, 'outside'));
      writeFileSync(join(server.folder, 'outside', 'evil.mar'), 'x');
      for (const marName of ['../outside/evil.mar', '/etc/passwd', 'http://127.0.0.1:1/evil.mar']) {
        const snapshot = {
          name: 's',
          modelCount: 1,
          created: 1,
          models: { evil: { '1.0': { defaultVersion: true, marName, minWorkers: 1, maxWorkers: 1, batchSize: 1, maxBatchDelay: 100, responseTimeout: 120 } } },
        };
        await expect(server.start({ tokens: true, waitForReady: false, config: { model_snapshot: JSON.stringify(snapshot) } })).rejects.toThrow(
          'the server ended',
        );
      }
    } finally {
      await server.dispose();
    }
  });

  it('CF6 of a flag that is given twice counts once, and tells which', async () => {
    const server = new RunningServer();
    try {
      writeFileSync(join(server.folder, 'config.properties'), 'disable_token_authorization=true\ndisable_token_authorization=false\n');

      const { stdout } = await sconce(server, 'config', '--json');

      expect(stdout).toMatch(/"disable_token_authorization"[^}]*"?false"?/);
    } finally {
      await server.dispose();
    }
  });
});
