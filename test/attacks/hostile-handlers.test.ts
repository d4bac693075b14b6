import { mkdirSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningServer } from '../e2e/running-server.js';
import { aftermath } from '../fixtures/aftermath.js';
import { archive } from '../fixtures/archives.js';
import { expectAlive, expectRefused, HostileModel, type Victim, type Wish, workerOf } from '../fixtures/hostile-model.js';

// The victims: a server with keys, a second model with a worker of its own, listeners that must stay silent.
const server = new RunningServer();
const hostile = new HostileModel(server, 'hostile');
const CANARY = ['canary-in-the', '-environment'] as const;
const inTheBody = ['canary-in-a-body-', 'of-another-model'] as const;
const traps: Server[] = [];
const visitors: string[] = [];
let victims: readonly Victim[] = [];
let tcpPort = 0;
const abstract = `sconce-trap-${process.pid}`;
/** Where the server keeps what it unpacks. */
const temporary = join(server.folder, 'temporary');
const pathname = join(server.shared, 'trap.sock');

beforeAll(async () => {
  mkdirSync(temporary);
  const good = await archive(server.store, { name: 'good', handler: 'echo.py', files: { 'weights.bin': 'weights of the good model' } });
  writeFileSync(join(server.folder, 'audit.log'), 'who did what\n');
  await server.start({
    args: ['--models', `good=${good}`],
    config: { default_workers_per_model: '1', enable_model_api: 'true' },
    env: { TEMP: temporary, CANARY: CANARY.join(''), AWS_SECRET_ACCESS_KEY: CANARY.join(''), TS_KEYSTORE_PASS: CANARY.join('') },
  });
  await hostile.register();
  const goodPid = await workerOf(server, 'good');
  const parentPid = Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${goodPid}/status`, 'latin1'))?.[1]);
  victims = [
    { name: 'gateway', pid: server.pid },
    { name: 'warm parent', pid: parentPid },
    { name: 'worker of the good model', pid: goodPid },
  ];
  tcpPort = await trap('tcp', { host: '127.0.0.1', port: 0 });
  await trap('abstract', { path: `\0${abstract}` });
  await trap('pathname', { path: pathname });
});

afterAll(async () => {
  for (const open of traps) open.close();
  await server.dispose();
});

aftermath(() => server, { model: 'good', canaries: [CANARY.join(''), inTheBody.join(''), 'weights of the good model'], files: ['audit.log', 'temporary'] });

async function trap(name: string, options: { host: string; port: number } | { path: string }): Promise<number> {
  const listener = createServer(() => visitors.push(name));
  traps.push(listener);
  await new Promise<void>((resolve) => listener.listen(options, resolve));
  const address = listener.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

/** In handle, in a thread left behind, and in the initialize of a model of its own. */
async function everywhere(wish: Wish, check: (outcomes: Readonly<Record<string, string>>) => void): Promise<void> {
  check(await hostile.tries(wish));
  check(await hostile.triesLater(wish));
  const starting = new HostileModel(server, `starting-${wish.do.replaceAll('_', '-')}`);
  await starting.register(`handler:\n  at_start: ${JSON.stringify(JSON.stringify(wish))}\n`);
  check(await starting.tries({ do: 'report' }));
  await server.manage('DELETE', `/models/${starting.name}`);
}

/** The folders of all models, as the machine knows them. */
function modelFolders(): readonly string[] {
  const [run = ''] = readdirSync(temporary).filter((name) => name.startsWith('sconce-'));
  const models = join(temporary, run, 'models');
  return readdirSync(models).map((name) => join(models, name));
}

async function goesOn(): Promise<void> {
  expectAlive(...victims);
  expect((await server.predict('good', { body: 'x' })).status).toBe(200);
}

describe('a hostile handler in the standard sandbox', () => {
  it('HH1 reads no file of the server, of another model, or of the machine', async () => {
    const paths = [
      join(server.folder, 'key_file.json'),
      join(server.folder, 'config.properties'),
      join(server.folder, 'audit.log'),
      join(server.folder, 'logs', 'access_log.log'),
      join(server.store, 'good.mar'),
      '/etc/shadow',
      '/etc/hostname',
      '/proc/1/mem',
      ...victims.map(({ pid }) => `/proc/${pid}/cwd/weights.bin`),
      ...modelFolders().map((folder) => join(folder, 'weights.bin')),
    ];

    await everywhere({ do: 'read_files', paths }, expectRefused);
    await everywhere({ do: 'list_folders', paths: [server.folder, server.store, homedir(), '/var/log', '/home', '/mnt'] }, (outcomes) => {
      const { [homedir()]: home = '', [server.folder]: own, ...others } = outcomes;
      expectRefused(others);
      // The way to its own folder, and nothing beside it.
      expect(own).toBe("done ['temporary']");
      // The interpreter of the tests may lie there: its folder alone is to be seen.
      expect(home).not.toMatch(/\.ssh|\.bash|\.config|\.cache|\.npm/);
    });
    await goesOn();
  });

  it('HH2 finds nothing of the server’s environment, nor the memory of others', async () => {
    await everywhere({ do: 'environments' }, (outcomes) => {
      expect(JSON.stringify(outcomes)).not.toMatch(/CANARY|AWS_|KEYSTORE|canary/);
      expect(outcomes.own).toMatch(/^done .*HOME/);
    });
    await everywhere({ do: 'memory_of_others', pids: [1, ...victims.map(({ pid }) => pid)] }, expectRefused);
    expect(await hostile.tries({ do: 'find', canary: CANARY })).toEqual({ memory: 'done 0', own: 'done 1' });
  });

  it('HH3 connects to nobody: no port, no family of sockets, no name service', async () => {
    const gateway = [server.inference, server.management].map((url) => ['127.0.0.1', Number(new URL(url).port)] as const);
    const wish = {
      do: 'connect',
      tcp: [['127.0.0.1', tcpPort], ...gateway, ['169.254.169.254', 80], ['192.0.2.1', 443]],
      pathname,
      abstract,
      unix_paths: ['/run/docker.sock', '/var/run/docker.sock', '/run/systemd/private', '/run/dbus/system_bus_socket'],
    };

    await everywhere(wish, expectRefused);
    expect(visitors).toEqual([]);
    await goesOn();
  });

  it('HH4 signals nobody', async () => {
    const pids = victims.map(({ pid }) => pid);

    await everywhere({ do: 'signal_others', pids }, expectRefused);
    await hostile.tries({ do: 'signal_all' });
    await goesOn();
  });

  it('HH5 traces nobody and takes no descriptor of anybody', async () => {
    await everywhere({ do: 'trace', pids: [1, ...victims.map(({ pid }) => pid)] }, expectRefused);
    await goesOn();
  });

  it('HH6 runs no program', async () => {
    await everywhere({ do: 'run_programs' }, expectRefused);
  });

  it('HH7 HH8 fills neither disk nor memory of the machine: its room has an end', async () => {
    const free = () => statfsSync('/').bfree * statfsSync('/').bsize;
    const before = free();
    const roomy = new HostileModel(server, 'roomy');
    await roomy.register('sconce:\n  limits: { memoryMb: 400 }\n');

    const filled = await roomy.tries({ do: 'fill', folders: ['/tmp', '/dev/shm', '.', '/var/tmp', '/', '/etc', '/usr'], mib: 1000 });
    const inodes = await roomy.tries({ do: 'fill_inodes', folder: '/tmp', count: 1_000_000 });

    expect(filled).toEqual({ '/tmp': 'ENOSPC', '/dev/shm': 'ENOSPC', '.': 'ENOSPC', '/var/tmp': 'ENOSPC', '/': 'EROFS', '/etc': 'EROFS', '/usr': 'EROFS' });
    expect(inodes.inodes).toBe('ENOSPC');
    expect(before - free()).toBeLessThan(300 * 2 ** 20);
    await server.manage('DELETE', '/models/roomy');
    await goesOn();
  });

  it('HH15 finds no shared memory of others', async () => {
    const name = `sconce-segment-${process.pid}`;
    writeFileSync(join('/dev/shm', name), 'of somebody else', { mode: 0o666 });

    await everywhere({ do: 'shared_memory', names: [name] }, expectRefused);
  });

  it('HH23 finds no body of another model’s request in its memory', async () => {
    await server.predict('good', { body: inTheBody.join('') });

    expect(await hostile.tries({ do: 'find', canary: inTheBody })).toEqual({ memory: 'done 0', own: 'done 1' });
  });

  it('is described with what holds around it, where that is asked for', async () => {
    const [plain] = JSON.parse((await server.manage('GET', '/models/hostile')).text);
    const [asked] = JSON.parse((await server.manage('GET', '/models/hostile?sandbox=true')).text);

    expect(plain.workers[0]).not.toHaveProperty('sandbox');
    expect(asked.workers[0].sandbox.missing).toEqual(process.getuid?.() === 0 ? {} : expect.anything());
    expect(asked.workers[0].sandbox.held).toEqual(expect.arrayContaining(['calls', 'files', 'writes', 'network', 'exec', 'signals']));
    await server.logHas('ts_log.log', /sandbox: workers are held in: |sandbox: not held here: /);
  });

  it('is told in one line which grant its archive asks for', async () => {
    const asking = new HostileModel(server, 'asking');
    await asking.register('sconce:\n  needs: { network: true, exec: true }\n');

    await server.logHas(
      'ts_log.log',
      'Model asking says that it needs network and exec, and goes without. Permit it with sconce_grants={"asking":{"network":true,"exec":true}}',
    );
    expectRefused(await asking.tries({ do: 'run_programs' }));
  });
});
