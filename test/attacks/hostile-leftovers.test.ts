import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningServer } from '../e2e/running-server.js';
import { aftermath } from '../fixtures/aftermath.js';
import { expectRefused, HostileModel, processesOf } from '../fixtures/hostile-model.js';
import { PYTHON, ROOT } from '../fixtures/python-workers.js';

const server = new RunningServer();
const temporary = join(server.folder, 'temporary');
const SHARING = 'leaver';

beforeAll(async () => {
  mkdirSync(temporary);
  await server.start({ config: server.sharing(SHARING), env: { TEMP: temporary } });
});

afterAll(() => server.dispose());

aftermath(() => server, { files: ['temporary'] });

function folderOf(file: string): string {
  const [run = ''] = readdirSync(temporary).filter((name) => name.startsWith('sconce-'));
  const models = join(temporary, run, 'models');
  const found = readdirSync(models).find((name) => existsSync(join(models, name, file)));
  return join(models, found ?? '');
}

function hashOf(folder: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder, { recursive: true }).map(String).sort()) {
    if (statSync(join(folder, name)).isFile()) hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest('hex');
}

describe('a hostile handler', () => {
  it('HH11 changes neither its served files nor those of Python, nor plants any', async () => {
    const hostile = new HostileModel(server, 'writer');
    await hostile.register();
    const folder = folderOf('hostile.py');
    const before = [folder, join(ROOT, 'python', 'sconce_worker'), join(ROOT, 'python', 'ts')].map(hashOf);
    const libraries = join(PYTHON, '..', '..', 'lib');
    const [version = ''] = readdirSync(libraries).filter((name) => name.startsWith('python3'));
    const packages = join(libraries, version, 'site-packages');

    const own = await hostile.tries({ do: 'write_files', paths: ['hostile.py', 'new.py', join(folder, 'planted.py')] });
    const others = await hostile.tries({
      do: 'write_files',
      paths: [
        join(ROOT, 'python', 'ts', '__init__.py'),
        join(ROOT, 'python', 'sitecustomize.py'),
        join(packages, 'hostile.pth'),
        join(packages, 'torch', '__init__.py'),
        join(packages, '__pycache__', 'six.cpython-311.pyc'),
        '/usr/lib/hostile.so',
        '/etc/ld.so.preload',
      ],
    });
    const unlinked = await hostile.tries({ do: 'unlink_files', paths: [join(packages, 'torch', '__init__.py'), '/etc/passwd'] });

    // As under TorchServe it may write into its folder; what it writes is a layer that it alone sees.
    expect(Object.values(own)).toEqual(['done 10', 'done 10', 'done 10']);
    expectRefused(others);
    expectRefused(unlinked);
    expect([folder, join(ROOT, 'python', 'sconce_worker'), join(ROOT, 'python', 'ts')].map(hashOf)).toEqual(before);
    await server.manage('PUT', '/models/writer?min_worker=0&max_worker=0&synchronous=true');
    await server.manage('PUT', '/models/writer?min_worker=1&max_worker=1&synchronous=true');
    expect(await hostile.tries({ do: 'list_folders', paths: [folder] })).toEqual({ [folder]: expect.not.stringMatching('planted|new.py') });
  });

  it('HH9 survives its unload in no process, however it has left its parents', async () => {
    const hostile = new HostileModel(server, SHARING);
    await hostile.register();
    await hostile.tries({ do: 'leave_behind', shared: server.shared });
    await server.eventually(async () => existsSync(join(server.shared, 'is-there')), 'the leftover runs');
    expect(processesOf(`-${SHARING}_1.0`).length).toBeGreaterThan(1);

    await server.manage('DELETE', `/models/${SHARING}`);

    await server.eventually(async () => processesOf(`-${SHARING}_1.0`).length === 0, 'nothing of it is left');
  });

  it('HH10 survives the gateway’s death in no process, and its folders go', async () => {
    const other = new RunningServer();
    try {
      const folder = join(other.folder, 'temporary');
      mkdirSync(folder);
      const name = `orphan-${process.pid}`;
      await other.start({ config: other.sharing(name), env: { TEMP: folder } });
      const hostile = new HostileModel(other, name);
      await hostile.register();
      await hostile.tries({ do: 'leave_behind', shared: other.shared });
      await other.eventually(async () => existsSync(join(other.shared, 'is-there')), 'the leftover runs');

      other.signal('SIGKILL');

      await other.exited;
      await other.eventually(async () => processesOf(`-${name}_1.0`).length === 0 && readdirSync(folder).length === 0, 'nothing of it is left');
    } finally {
      await other.dispose();
    }
  });
});
