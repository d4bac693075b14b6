import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { expectRefused, HostileModel } from '../fixtures/hostile-model.js';
import { RunningServer } from './running-server.js';

const server = new RunningServer();
const data = join(server.folder, 'data');
let listener: Server;
let visits = 0;

const MODELS = ['plain', 'online', 'builder', 'reader', 'tracer', 'trusted', 'exacting'] as const;
const models = new Map(MODELS.map((name) => [name, new HostileModel(server, name)]));

function of(name: (typeof MODELS)[number]): HostileModel {
  const model = models.get(name);
  if (model === undefined) throw new Error(`no model ${name}`);
  return model;
}

beforeAll(async () => {
  mkdirSync(data);
  writeFileSync(join(data, 'labels.txt'), 'cat, dog');
  const grants = {
    online: { network: true },
    builder: { exec: true },
    reader: { read: [data, '/nowhere/at/all'], environment: ['GRANTED_*'] },
    tracer: { write: ['/tmp'] },
    trusted: { sandbox: 'off' },
    exacting: { sandbox: 'strict' },
  };
  await server.start({ config: { sconce_grants: JSON.stringify(grants) }, env: { GRANTED_NAME: 'yes', OTHER_NAME: 'no' } });
  for (const model of models.values()) if (model.name !== 'exacting') await model.register();
  listener = createServer(() => {
    visits += 1;
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  listener.close();
  await server.dispose();
});

function connecting() {
  const address = listener.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return { do: 'connect', tcp: [['127.0.0.1', port]], pathname: '/nothing', abstract: 'nothing', unix_paths: [] };
}

describe('a grant of the operator', () => {
  it('lets one model connect, and the others not', async () => {
    const [online, plain] = [await of('online').tries(connecting()), await of('plain').tries(connecting())];

    expect(Object.entries(online).find(([name]) => name.startsWith('tcp 127'))?.[1]).toMatch(/^done/);
    expectRefused(plain);
    await server.eventually(async () => visits === 1, 'the visit of one');
    // Neither raw sockets nor the way to a hypervisor come with it.
    expect([online.raw, online.vsock, online.packet]).toEqual(['EPERM', 'EPERM', 'EPERM']);
    expectRefused(await of('online').tries({ do: 'run_programs' }));
  });

  it('lets one model run programs, which are held as it is', async () => {
    const outcomes = await of('builder').tries({ do: 'run_programs' });

    expect(outcomes.sh).toMatch(/^done/);
    expectRefused(await of('builder').tries(connecting()));
    expectRefused(await of('builder').tries({ do: 'escape' }));
  });

  it('shows one model a folder, and variables by name', async () => {
    const [reader, plain] = await Promise.all(
      (['reader', 'plain'] as const).map((name) => of(name).tries({ do: 'read_files', paths: [join(data, 'labels.txt')] })),
    );
    const environment = await of('reader').tries({ do: 'environments' });

    expect(reader?.[join(data, 'labels.txt')]).toBe("done b'cat, dog'");
    expectRefused(plain ?? {});
    expectRefused(await of('reader').tries({ do: 'write_files', paths: [join(data, 'labels.txt')] }));
    expect(environment.own).toContain('GRANTED_NAME');
    expect(environment.own).not.toContain('OTHER_NAME');
  });

  it('lets the workers of one model write to /tmp, where none of them leaves its home', async () => {
    const { status, text } = await server.manage('PUT', '/models/tracer?min_worker=2&synchronous=true');

    expect(text).toContain('Workers scaled to 2');
    expect(status).toBe(200);
    expect(existsSync('/tmp/home')).toBe(false);
  });

  it('takes the sandbox from one model, which then has what the server has', async () => {
    const outcomes = await of('trusted').tries({ do: 'list_folders', paths: [server.folder] });

    expect(outcomes[server.folder]).toMatch(/config\.properties/);
    const [asked] = JSON.parse((await server.manage('GET', '/models/trusted?sandbox=true')).text);
    expect(asked.workers[0].sandbox).toBe('off');
  });
});

describe('the level strict', () => {
  it.runIf(process.getuid?.() === 0)('serves a model where all of it holds', async () => {
    await of('exacting').register();

    expectRefused(await of('exacting').tries({ do: 'doors' }));
  });

  it('refuses a model where something is lacking, and says what', async () => {
    const name = 'lacking';
    const other = new RunningServer();
    try {
      // No user number that this machine has.
      await other.start({ config: { sconce_grants: `{"${name}": {"sandbox": "strict"}}`, sconce_worker_users: '4294967290-4294967291' } });
      const folder = join(other.store, 'closed');
      mkdirSync(folder, { mode: 0o700 });
      writeFileSync(join(folder, 'handler.py'), 'def handle(data, context):\n    return data\n', { mode: 0o600 });
      const { status, text } = await other.manage('POST', `/models?url=closed&model_name=${name}&handler=handler.py&initial_workers=1`);

      expect([status, text]).toEqual([500, expect.stringContaining('its sandbox is strict, and this does not hold: user (')]);
    } finally {
      await other.dispose();
    }
  });
});

describe('a handler that the sandbox holds back', () => {
  it('finds in the model log which grant would let it', async () => {
    const source = 'import subprocess\ndef handle(data, context):\n    return None if data is None else [subprocess.run(["ffmpeg"]).returncode]\n';
    const file = await archive(server.store, { name: 'caller', handler: 'noop.py', files: { 'calls.py': source }, model: { handler: 'calls.py:handle' } });
    await server.manage('POST', `/models?url=${file}&initial_workers=1`);

    expect((await server.predict('caller', { body: 'x' })).status).toBe(503);

    await server.eventually(
      async () => server.log('model_log.log').includes('Permit it with sconce_grants={"caller": {"exec": true}}'),
      'the log names the grant',
    );
  });
});
