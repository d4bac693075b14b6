import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type ArchiveWish, archive } from '../fixtures/archives.js';
import { alive, PYTHON } from '../fixtures/python-workers.js';
import { wheel } from '../fixtures/wheels.js';
import { call, type HttpResult, RunningServer, type ServerOptions } from './running-server.js';

const server = new RunningServer();
const wheels = join(server.folder, 'wheels');
const second = join(server.folder, 'second');

const found = z.object({
  modules: z.record(z.string(), z.object({ version: z.string().nullish(), file: z.string().nullish(), error: z.string().optional() })),
  executable: z.string(),
  prefix: z.string(),
  path: z.array(z.string()),
  directory: z.string(),
});

/** What the model's handler finds around it, having imported `modules`. */
async function surroundings(model: string, ...modules: readonly string[]): Promise<z.infer<typeof found>> {
  const answer = await server.predict(model, { body: JSON.stringify({ modules }), headers: { 'content-type': 'application/json' } });
  expect([answer.status, answer.text]).toEqual([200, answer.text]);
  return found.parse(answer.json());
}

function requiring(name: string, requirements: string, over: Partial<ArchiveWish> = {}): Promise<string> {
  const files = { 'requirements.txt': requirements, ...over.files };
  return archive(server.store, { name, handler: 'surroundings.py:handle', ...over, files, model: { requirementsFile: 'requirements.txt', ...over.model } });
}

function register(file: string): Promise<HttpResult> {
  return server.manage('POST', `/models?url=${file}&initial_workers=1`);
}

async function registered(file: string): Promise<void> {
  expect((await register(file)).text).toContain('registered with 1 initial workers');
}

const environments = () => join(server.folder, 'cache', 'environments');
const cached = (): readonly string[] => (existsSync(environments()) ? readdirSync(environments()) : []);

/** Messages in the model log about the installations of `model`. */
function installed(model: string): readonly string[] {
  const lines = server.log('model_log.log').matchAll(new RegExp(`^.* \\[INFO \\] install-${model} MODEL_LOG - (.*)$`, 'gm'));
  return [...lines].map(([, message = '']) => message);
}

/** Those that came after its last installation, and that tell of none. */
function afterInstalling(model: string): readonly string[] {
  const messages = installed(model);
  return messages.slice(messages.lastIndexOf(`Installed custom pip packages for model ${model}`) + 1);
}

function start(over: Readonly<Record<string, string>> = {}, options: ServerOptions = {}): Promise<RunningServer> {
  const config = { install_py_dep_per_model: 'true', sconce_wheel_folder: wheels, default_workers_per_model: '1', ...over };
  return server.start({ ...options, config });
}

async function restarted(over: Readonly<Record<string, string>> = {}, options: ServerOptions = {}): Promise<void> {
  server.signal('SIGTERM');
  await server.exited;
  await start(over, options);
}

beforeAll(async () => {
  mkdirSync(wheels);
  for (const version of ['1.0', '2.0']) await wheel(wheels, { name: 'colours', version, module: `__version__ = "${version}"\n` });
  await wheel(wheels, { name: 'shades', version: '1.0', module: 'import colours\n__version__ = colours.__version__\n', requires: ['colours<2'] });
  // Older than the one that the tests' interpreter has, and named like it.
  await wheel(wheels, { name: 'yaml', version: '0.1', module: '__version__ = "0.1"\n' });
  // PyTorch brings this one into the process that workers are forked from.
  await wheel(wheels, { name: 'typing_extensions', version: '0.1', module: '__version__ = "0.1"\n' });
  execFileSync(PYTHON, ['-m', 'venv', '--without-pip', second]);
  await start({ sconce_pythons: `other=${join(second, 'bin', 'python')}, gone=${join(server.folder, 'gone')}` });
});

afterAll(() => server.dispose());

describe('requirements of an archive', () => {
  it('are installed when it is registered, and its handler imports them, before what the interpreter has', async () => {
    await registered(await requiring('shady', 'shades\nyaml\ntyping_extensions==0.1\n'));

    const { modules, path, directory } = await surroundings('shady', 'shades', 'colours', 'yaml', 'typing_extensions');

    expect(modules).toMatchObject({ shades: { version: '1.0' }, colours: { version: '1.0' }, yaml: { version: '0.1' }, typing_extensions: { version: '0.1' } });
    const [key = ''] = cached();
    expect(path.slice(path.indexOf(directory)).slice(0, 2)).toEqual([directory, join(environments(), key, 'packages')]);
    expect(
      readdirSync(directory)
        .filter((name) => name !== '__pycache__')
        .sort(),
    ).toEqual(['MAR-INF', 'requirements.txt', 'surroundings.py']);
    await expect.poll(() => installed('shady').join('\n')).toContain('Successfully installed colours-1.0 shades-1.0 typing_extensions-0.1 yaml-0.1');
    await expect.poll(() => installed('shady').at(-1)).toBe('Installed custom pip packages for model shady');
  });

  it('of two models may conflict', async () => {
    await registered(await requiring('old', 'colours==1.0\n'));
    await registered(await requiring('new', 'colours==2.0\n'));

    expect((await surroundings('old', 'colours')).modules.colours?.version).toBe('1.0');
    expect((await surroundings('new', 'colours')).modules.colours?.version).toBe('2.0');
  });

  it('that are installed already are not installed again: for another model, after an unregistration, and by the next server', async () => {
    const before = cached();
    await registered(await requiring('old-too', 'colours==1.0\n'));
    await server.manage('DELETE', '/models/old');
    await registered('old.mar');
    await restarted({}, { args: ['--models', 'old.mar,new.mar'] });

    expect((await surroundings('old', 'colours')).modules.colours?.version).toBe('1.0');
    expect((await surroundings('new', 'colours')).modules.colours?.version).toBe('2.0');
    expect(cached()).toEqual(before);
    for (const [model, times] of [
      ['old', 2],
      ['old-too', 1],
      ['new', 1],
    ] as const)
      await expect
        .poll(() => afterInstalling(model))
        .toEqual(Array(times).fill(expect.stringContaining(`Found the Python environment of model ${model}, nothing is installed: `)));
  });

  it('that cannot be installed fail the registration with the reason, leave nothing behind, and can be put right', async () => {
    const [before, models] = [cached(), readdirSync(server.store)];
    const answer = await register(await requiring('picky', 'colours==9\n'));

    expect([answer.status, answer.json()]).toEqual([
      400,
      {
        code: 400,
        type: 'ModelException',
        message: 'Custom pip package installation failed for model picky (ERROR: No matching distribution found for colours==9)',
      },
    ]);
    await expect
      .poll(() => installed('picky').join('\n'))
      .toContain('Could not find a version that satisfies the requirement colours==9 (from versions: 1.0, 2.0)');
    expect((await server.manage('GET', '/models/picky')).status).toBe(404);
    expect(cached()).toEqual(before);
    expect(readdirSync(server.store).sort()).toEqual([...models, 'picky.mar'].sort());

    await registered(await requiring('picky', 'colours==2\n'));
    expect((await surroundings('picky', 'colours')).modules.colours?.version).toBe('2.0');
  });

  it('AR11 that reach for an index, a repository or a file elsewhere are refused with the grant that would permit them, and nobody is asked', async () => {
    const asked: string[] = [];
    const trap = createServer((request, response) => {
      asked.push(String(request.url));
      response.writeHead(404).end();
    });
    await new Promise<void>((listening) => void trap.listen(0, '127.0.0.1', listening));
    const address = trap.address();
    const index = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/simple`;
    try {
      for (const line of [`--index-url ${index}`, `--extra-index-url ${index}`, `-e git+${index}/repository#egg=own`, '-r /etc/passwd', '/etc/hostname']) {
        const { status, text } = await register(await requiring('reaching', `colours\n${line}\n`));

        expect([status, text]).toEqual([400, expect.stringContaining('; sconce_grants=')]);
        expect(text).not.toContain('root:');
      }
      expect(asked).toEqual([]);
    } finally {
      trap.close();
    }
  });
});

describe('a model with a virtual environment', () => {
  it('runs in it, finds its own packages first and those of the base interpreter behind them, whatever its runtime', async () => {
    const config = 'useVenv: true\n';
    await registered(await requiring('venv', 'colours==1.0\n', { config }));
    const made = cached();
    const manifest = {
      runtime: 'python3',
      model: { modelName: 'venv3', handler: 'surroundings.py:handle', requirementsFile: 'requirements.txt', configFile: 'model-config.yaml' },
    };
    await registered(await requiring('venv3', 'colours==1.0\n', { config, manifest: JSON.stringify(manifest) }));

    const { modules, executable, prefix, directory } = await surroundings('venv', 'colours', 'torch');

    expect(executable).toBe(join(directory, 'venv', 'bin', 'python'));
    expect(prefix).toBe(join(directory, 'venv'));
    expect(readlinkSync(join(directory, 'venv'))).toContain(environments());
    expect(modules.colours).toEqual({ version: '1.0', file: expect.stringContaining(prefix) });
    expect(modules.torch?.version).toMatch(/^2\./);
    await expect
      .poll(() => installed('venv').slice(-2))
      .toEqual([expect.stringMatching(/^Created virtual environment for model venv: /), 'Installed custom pip packages for model venv']);
    const three = await surroundings('venv3', 'colours');
    expect(three.executable).toBe(join(three.directory, 'venv', 'bin', 'python'));
    expect(three.modules.colours?.version).toBe('1.0');
    // The literal python3 is another interpreter.
    await expect.poll(() => installed('venv3').join('\n')).toContain('Created virtual environment for model venv3');
    expect(cached()).toHaveLength(made.length + 1);
  });

  it('has it after a restart without an installation', async () => {
    await restarted({}, { args: ['--models', 'venv.mar'] });

    expect((await surroundings('venv', 'colours', 'torch')).modules).toMatchObject({ colours: { version: '1.0' }, torch: { version: expect.any(String) } });
    await expect.poll(() => afterInstalling('venv')).toEqual([expect.stringContaining('Found the Python environment of model venv, nothing is installed: ')]);
  });

  it('that has no requirements gets one without installing', async () => {
    await registered(await archive(server.store, { name: 'bare', handler: 'surroundings.py:handle', config: 'useVenv: true\n' }));

    const { executable, directory } = await surroundings('bare');

    expect(executable).toBe(join(directory, 'venv', 'bin', 'python'));
    await expect.poll(() => installed('bare').slice(1)).toEqual([expect.stringMatching(/^Created virtual environment for model bare: /)]);
  });
});

describe('an interpreter of its own', () => {
  const config = (name: string) => `sconce:\n  python: ${name}\n`;

  beforeAll(() => restarted({ sconce_pythons: `other=${join(second, 'bin', 'python')}, gone=${join(server.folder, 'gone')}` }));

  it('is given to a model that names it, and what it requires is installed for that', async () => {
    await registered(await archive(server.store, { name: 'elsewhere', handler: 'surroundings.py:handle', config: config('other') }));

    const { executable, prefix, modules } = await surroundings('elsewhere', 'torch');

    expect([executable, prefix]).toEqual([join(second, 'bin', 'python'), second]);
    expect(modules.torch?.error).toBe("No module named 'torch'");
    const answer = await register(await requiring('elsewhere-too', 'colours\n', { config: config('other') }));
    expect(answer.text).toContain(`${join(second, 'bin', 'python')} lacks pip; python -m ensurepip installs it`);
    execFileSync(join(second, 'bin', 'python'), ['-m', 'ensurepip'], { stdio: 'ignore' });
    await restarted({ sconce_pythons: `other=${join(second, 'bin', 'python')}` });
    await registered('elsewhere-too.mar');
    expect((await surroundings('elsewhere-too', 'colours')).modules.colours?.version).toBe('2.0');
  });

  it('that is not listed, or not there, refuses the registration', async () => {
    const unlisted = await register(await archive(server.store, { name: 'lost', handler: 'noop.py', config: config('python3.99') }));
    expect(unlisted.json()).toMatchObject({
      code: 400,
      message: 'Model lost asks for the python python3.99, which sconce_pythons does not list (listed: other)',
    });

    await restarted({ sconce_pythons: `gone=${join(server.folder, 'gone')}` });
    const gone = await register(await archive(server.store, { name: 'lost', handler: 'noop.py', config: config('gone') }));
    expect(gone.json()).toMatchObject({ code: 400, message: `The interpreter ${join(server.folder, 'gone')} cannot be used: it was not found` });
    expect((await server.manage('GET', '/models/lost')).status).toBe(404);
  });
});

describe('an installation that is under way', () => {
  /** Builds a package: prints 200 KiB, tells its pid, and ends when the file `go` appears. Needs nothing but Python. */
  const backend = `
import os, time, zipfile


def build_wheel(folder, *_settings):
    for _ in range(2048):
        print("x" * 100)
    with open("PID.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("PID.new", "PID")
    while not os.path.exists("GO"):
        time.sleep(0.02)
    name = "slow-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        wheel.writestr("slow.py", "__version__ = '1.0'")
        wheel.writestr("slow-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: slow\\nVersion: 1.0\\n")
        wheel.writestr("slow-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("slow-1.0.dist-info/RECORD", "slow.py,,\\nslow-1.0.dist-info/METADATA,,\\nslow-1.0.dist-info/WHEEL,,\\n")
    return name
`
    .replaceAll('GO', join(server.folder, 'go'))
    .replaceAll('PID', join(server.folder, 'pid'));
  const files = {
    'slow/backend.py': backend,
    'slow/pyproject.toml': '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "slow"\nversion = "1.0"\n',
  };

  /** It is built by code of its own. */
  const PERMITTED = { sconce_grants: '{"slow": {"requirements": "anywhere"}}' };

  async function begun(): Promise<number> {
    await server.eventually(async () => existsSync(join(server.folder, 'pid')), 'the installation has begun');
    return Number(readFileSync(join(server.folder, 'pid'), 'utf8'));
  }

  function clean(): void {
    for (const name of ['pid', 'go']) rmSync(join(server.folder, name), { force: true });
  }

  beforeAll(async () => {
    await requiring('slow', './slow\n', { files });
    await restarted(PERMITTED);
  });

  it('keeps nobody waiting, is ended when its model is unregistered, and can begin again', async () => {
    const before = cached();
    const registering = register('slow.mar');
    const pid = await begun();

    expect((await call(`${server.inference}/ping`)).status).toBe(200);
    expect((await server.manage('DELETE', '/models/slow')).json()).toEqual({ status: 'Model "slow" unregistered' });

    expect((await registering).json()).toMatchObject({
      code: 400,
      message: 'Custom pip package installation failed for model slow (it was unregistered meanwhile)',
    });
    expect(alive(pid)).toBe(false);
    expect(cached()).toEqual(before);
    clean();
  });

  it('ends with the server, which stops at once', async () => {
    const before = cached();
    const registering = register('slow.mar');
    const pid = await begun();

    server.signal('SIGTERM');

    expect((await registering).json()).toMatchObject({ message: 'Custom pip package installation failed for model slow (the server is stopping)' });
    expect(await server.exited).toBe(0);
    expect(alive(pid)).toBe(false);
    expect(cached()).toEqual(before);
    clean();
  });

  it('ends with a server that is told to stop while it starts', async () => {
    const before = cached();
    const starting = start(PERMITTED, { args: ['--models', 'slow.mar'], waitForReady: false });
    const pid = await begun();

    server.signal('SIGTERM');

    await starting;
    expect(await server.exited).toBe(0);
    expect(alive(pid)).toBe(false);
    expect(cached()).toEqual(before);
    await server.outputHas('Failed to load model: slow.mar: Custom pip package installation failed for model slow (the server is stopping)');
    clean();
  });

  it('ends with a server that is killed, and the next server installs anew, with 200 KiB of output', async () => {
    await start(PERMITTED);
    const registering = register('slow.mar').catch(() => undefined);
    const pid = await begun();

    server.signal('SIGKILL');

    await Promise.all([registering, server.exited]);
    await server.eventually(async () => !alive(pid), 'the installer has ended with its server');
    clean();
    writeFileSync(join(server.folder, 'go'), '');
    await start(PERMITTED, { env: { PIP_VERBOSE: '1' } });
    await registered('slow.mar');

    expect((await surroundings('slow', 'slow')).modules.slow?.version).toBe('1.0');
    await expect.poll(() => installed('slow').join('\n').length).toBeGreaterThan(200 * 1024);
  });
});
