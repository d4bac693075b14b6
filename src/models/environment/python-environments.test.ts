import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noEnvironments } from '../../../test/fixtures/python-environments.js';
import { KeptLog } from '../../../test/fixtures/silent-observer.js';
import { DependenciesFailed, PythonNotListed } from '../../errors/model.js';
import type { ModelPython, ServableModel } from '../../inference/servable-model.js';
import { noModelConfig } from '../model-config.js';
import type { PythonEnvironments, PythonEnvironmentsOptions } from './python-environments.js';

const PATIENCE_MS = 60_000;
const never = new AbortController().signal;
let folder: string;
let lines: string[];
let log: KeptLog;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-env-')));
  mkdirSync(join(folder, 'model'));
  lines = [];
  log = new KeptLog();
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const cache = () => join(folder, 'environments');
const cached = (): readonly string[] => (existsSync(cache()) ? readdirSync(cache()) : []);
const directory = () => join(folder, 'model');
const calls = () => lines.filter((line) => line.startsWith('called'));

function model(over: Partial<ServableModel> = {}): ServableModel {
  return {
    name: 'dogs',
    version: '1.0',
    url: 'dogs.mar',
    runtime: 'python',
    backend: 'python',
    directory: directory(),
    linkParent: undefined,
    handler: 'h.py',
    envelope: undefined,
    serializedFile: undefined,
    requirementsFile: 'requirements.txt',
    config: noModelConfig(),
    contentHash: 'content',
    downloadedArchive: undefined,
    ...over,
  };
}

const withVenv = { ...noModelConfig(), useVenv: true };
const named = (python: string) => ({ ...noModelConfig(), sconce: { ...noModelConfig().sconce, python } });

/** An interpreter whose pip tells how it was called, and then does as `pip` says. In all else it is python3. */
function interpreter(pip = '', name = 'interpreter'): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\nif [ "$1 $3" != "-c pip" ]; then exec python3 "$@"; fi\nshift\necho "called -m $(shift; echo "$*")"\n${pip}\n`);
  chmodSync(path, 0o755);
  return path;
}

/** Environments as a server has them that has just started. */
function started(over: Partial<PythonEnvironmentsOptions> = {}): PythonEnvironments {
  return noEnvironments(folder, log, {
    install: true,
    interpreter: over.interpreter ?? interpreter(),
    environment: { PATH: process.env.PATH ?? '', GREETING: 'hello' },
    output: (_, line) => lines.push(line),
    ...over,
  });
}

function prepare(of: PythonEnvironments, over: Partial<ServableModel> = {}, signal = never, ownsFolder = true): Promise<ModelPython | undefined> {
  return of.prepare(model(over), { ownsFolder, signal });
}

function requires(text: string, file = 'requirements.txt'): void {
  writeFileSync(join(directory(), file), text);
}

describe('requirements', { timeout: PATIENCE_MS }, () => {
  it('are installed into a folder of the cache, with the workers environment, and the model folder stays as it was', async () => {
    requires('cowsay\n');
    const given = interpreter('echo "$GREETING from $PWD" >&2; mkdir "$8"; echo > "$8/cowsay.py"');

    const python = await prepare(started({ interpreter: given }));

    const [key = ''] = cached();
    const packages = join(cache(), key, 'packages');
    expect(python).toEqual({ interpreter: given, packages });
    expect(lines).toEqual([
      `Making the Python environment of model dogs: ${join(cache(), key)}`,
      `called -m pip install --disable-pip-version-check --no-input -U -t ${packages} -r ${join(directory(), 'requirements.txt')} --only-binary :all:`,
      `hello from ${directory()}`,
      'Installed custom pip packages for model dogs',
    ]);
    expect(readdirSync(packages)).toEqual(['cowsay.py']);
    expect(readdirSync(directory())).toEqual(['requirements.txt']);
    expect(readdirSync(join(cache(), key)).sort()).toEqual(['.complete', '.lock', 'packages']);
  });

  it("AR12 are installed by the interpreter's own pip, whatever the archive calls its files", async () => {
    requires('');
    for (const name of ['pip.py', 'runpy.py', 'venv.py', 'subprocess.py']) requires('raise SystemExit("taken from the archive")', name);

    for (const config of [noModelConfig(), withVenv]) await prepare(started({ interpreter: 'python3' }), { config });

    expect(lines).not.toContain('taken from the archive');
    expect(lines.at(-1)).toBe('Installed custom pip packages for model dogs');
  });

  it('are installed once for all that need them at a time, and not again by the next server', async () => {
    requires('cowsay\n');
    const server = started();

    const all = await Promise.all([prepare(server), prepare(server, { name: 'cats' }), prepare(started())]);
    const later = await prepare(started());

    expect(new Set([...all, later].map((python) => python?.packages)).size).toBe(1);
    expect(calls()).toHaveLength(1);
    expect(lines.at(-1)).toBe(`Found the Python environment of model dogs, nothing is installed: ${join(cache(), cached()[0] ?? '')}`);
  });

  it('of another text, index, interpreter or wheel folder are others', async () => {
    requires('cowsay\n');
    const environment = { PATH: process.env.PATH ?? '' };
    mkdirSync(join(folder, 'wheels'));
    await prepare(started({ environment }));
    await prepare(started({ environment: { ...environment, LANG: 'C' } }));
    expect(calls()).toHaveLength(1);

    await prepare(started({ environment: { ...environment, PIP_INDEX_URL: 'https://me:one@index.test/simple' } }));
    await prepare(started({ environment: { ...environment, PIP_INDEX_URL: 'https://me:two@index.test/simple' } }));
    expect(calls()).toHaveLength(2);

    await prepare(started({ environment, wheelFolder: join(folder, 'wheels') }));
    writeFileSync(join(folder, 'wheels', 'cowsay.whl'), '');
    await prepare(started({ environment, wheelFolder: join(folder, 'wheels') }));
    expect(calls()).toHaveLength(4);

    requires('cowsay==6\n');
    await prepare(started({ environment }));
    expect(calls()).toHaveLength(5);
    expect(cached()).toHaveLength(5);
    for (const key of cached()) expect(readFileSync(join(cache(), key, '.complete'), 'utf8')).not.toContain('me:');
  });

  it('come from the wheel folder alone where there is one', async () => {
    requires('cowsay\n');
    const wheelFolder = join(folder, 'wheels');

    await expect(prepare(started({ wheelFolder }))).rejects.toThrow(
      `Custom pip package installation failed for model dogs (sconce_wheel_folder ${wheelFolder} cannot be read)`,
    );
    mkdirSync(wheelFolder);
    await prepare(started({ wheelFolder }));

    expect(calls()[0]).toContain(` -U --no-index --find-links ${wheelFolder} -t `);
  });

  it('are left alone where installing is off, or the manifest names none', async () => {
    expect(await prepare(started({ install: false }))).toBeUndefined();
    expect(await prepare(started(), { requirementsFile: undefined })).toBeUndefined();

    expect(lines).toEqual([]);
  });

  it.each([
    ['are missing', 'requirements.txt', '', 'requirements.txt is not in the archive'],
    ['name what is missing', 'there.txt', '', 'more.txt is not in the archive'],
    ['lie outside the model', '../requirements.txt', '', '../requirements.txt lies outside the archive'],
    [
      'cannot be installed',
      'good.txt',
      'echo "ERROR: No matching distribution found for x"; echo "[notice] A new pip"; exit 1',
      'ERROR: No matching distribution found for x',
    ],
    ['end the installer', 'good.txt', 'kill -9 $$', undefined],
  ])('that %s are refused with the reason, leave nothing behind, and are tried again the next time', async (_, requirementsFile, pip, reason) => {
    requires('x\n', 'good.txt');
    requires('x\n-r more.txt\n', 'there.txt');
    const server = started({ interpreter: interpreter(pip) });

    for (const _try of [1, 2])
      await expect(prepare(server, { requirementsFile })).rejects.toSatisfy((error) => {
        const text = 'Custom pip package installation failed for model dogs';
        return DependenciesFailed.is(error) && (reason === undefined ? error.message.startsWith(text) : error.message === `${text} (${reason})`);
      });

    expect(cached()).toEqual([]);
    writeFileSync(join(folder, 'requirements.txt'), '');
    interpreter();
    await prepare(server, { requirementsFile: 'good.txt' });
    expect(cached()).toHaveLength(1);
  });

  it('that install a folder of the archive for editing do not outlive the server', async () => {
    requires('-e ./mine\n');

    const python = await prepare(started({ mayLeadOut: () => true }));

    expect(python?.packages).toContain(join(folder, 'work', 'environments'));
    expect(calls().join()).not.toContain('--only-binary');
    expect(cached()).toEqual([]);
  });

  it('that a model added to behind our back are warned about', async () => {
    requires('cowsay\n');
    const python = await prepare(started());
    writeFileSync(join(python?.packages ?? '', 'mine.py'), '');

    await prepare(started());

    expect(log.lines.join('\n')).toContain('was changed after it was built: mine.py. Delete it to have it built anew.');
  });

  it('are not installed through a link that leads out of the cache', async () => {
    requires('cowsay\n');
    const { packages = '' } = (await prepare(started())) ?? {};
    rmSync(packages, { recursive: true });
    symlinkSync(tmpdir(), packages);

    await expect(prepare(started())).rejects.toThrow(`Invalid 3rd party package installation path ${packages}`);
  });
});

describe('an installation', { timeout: PATIENCE_MS }, () => {
  // Tells its pid, so that the test knows that it runs, and would go on for ever, as would what it starts.
  const endless = 'sleep 1000 & echo "pids $$ $!"; wait';

  function pids(): readonly number[] {
    const told = lines.find((line) => line.startsWith('pids'));
    return told === undefined ? [] : told.split(' ').slice(1).map(Number);
  }

  function runs(pid: number): boolean {
    try {
      process.kill(pid, 0);
      return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  }

  async function begun(): Promise<void> {
    await expect.poll(() => pids().length, { timeout: 10_000 }).toBe(2);
  }

  it.each([
    [
      'that is not wanted any more',
      (_: AbortController, wish: AbortController) => wish.abort('it was unregistered meanwhile'),
      'it was unregistered meanwhile',
    ],
    ['of a server that stops', (stopping: AbortController) => stopping.abort('the server is stopping'), 'the server is stopping'],
  ])('%s ends with all that it started and leaves nothing behind', async (_, end, reason) => {
    requires('cowsay\n');
    const [stopping, wish] = [new AbortController(), new AbortController()];
    const server = started({ interpreter: interpreter(endless), stopping: stopping.signal });
    const preparing = expect(prepare(server, {}, wish.signal)).rejects.toThrow(`Custom pip package installation failed for model dogs (${reason})`);
    await begun();

    end(stopping, wish);

    await preparing;
    expect(pids().filter(runs)).toEqual([]);
    expect(cached()).toEqual([]);
  });

  it('that takes too long is ended', async () => {
    requires('cowsay\n');
    const server = started({ interpreter: interpreter(endless), timeoutMs: 1500 });

    await expect(prepare(server)).rejects.toThrow('(not done within sconce_install_timeout_s=1.5)');

    expect(pids().filter(runs)).toEqual([]);
  });

  it('waits while another server installs the same, and takes over when that gives up', async () => {
    requires('cowsay\n');
    const wish = new AbortController();
    const one = prepare(started({ interpreter: interpreter(`if [ ! -e ${folder}/again ]; then ${endless}; fi`) }), {}, wish.signal).catch(() => undefined);
    await begun();
    const two = prepare(started({ interpreter: join(folder, 'interpreter') }));
    await expect.poll(() => lines.some((line) => line.startsWith('Waiting for')), { timeout: 10_000 }).toBe(true);

    writeFileSync(join(folder, 'again'), '');
    wish.abort('enough');

    expect(await one).toBeUndefined();
    expect((await two)?.packages).toContain(cache());
    expect(calls()).toHaveLength(2);
  });

  it('that prints by the megabyte, and a line without end, is shown and succeeds', async () => {
    requires('cowsay\n');
    const shout =
      'i=0; while [ $i -lt 2000 ]; do echo "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"; i=$((i+1)); done; head -c 300000 /dev/zero | tr "\\0" "x"';

    await prepare(started({ interpreter: interpreter(shout) }));

    expect(lines.filter((line) => line.startsWith('0123456789'))).toHaveLength(2000);
    expect(lines.filter((line) => line.startsWith('xxxx')).map((line) => line.length)).toEqual([65_536, 65_536, 65_536, 65_536, 37_856]);
  });
});

describe('a virtual environment', { timeout: PATIENCE_MS }, () => {
  it('lies in the cache, is linked to from the model, and sees its own packages first and those of the base interpreter behind them', async () => {
    const server = started({ install: false, interpreter: 'python3' });

    const python = await prepare(server, { config: withVenv });

    const [key = ''] = cached();
    const venv = join(cache(), key, 'venv');
    expect(python).toEqual({ interpreter: join(directory(), 'venv', 'bin', 'python'), packages: undefined });
    expect(readlinkSync(join(directory(), 'venv'))).toBe(venv);
    expect(lines.slice(1)).toEqual([`Created virtual environment for model dogs: ${venv}`]);
    const version = readFileSync(join(venv, 'pyvenv.cfg'), 'utf8').match(/version(?:_info)? = (\d+\.\d+)/)?.[1];
    expect(readFileSync(join(venv, 'lib', `python${version}`, 'site-packages', 'inherited-site-packages.pth'), 'utf8')).toMatch(/(site|dist)-packages/);

    rmSync(join(directory(), 'venv'));
    mkdirSync(join(directory(), 'venv', 'of-the-archive'), { recursive: true });
    expect(await prepare(started({ install: false, interpreter: 'python3' }), { config: withVenv, runtime: 'python3' })).toEqual(python);
    expect(lines.at(-1)).toContain('Found the Python environment');
    expect(lstatSync(join(directory(), 'venv')).isSymbolicLink()).toBe(true);
  });

  it('of a folder that is served in place is not linked to from there', async () => {
    const python = await prepare(started({ install: false, interpreter: 'python3' }), { config: withVenv }, never, false);

    expect(python?.interpreter).toBe(join(cache(), cached()[0] ?? '', 'venv', 'bin', 'python'));
    expect(readdirSync(directory())).toEqual([]);
  });

  it('that cannot be made is refused, and nothing of it is left', async () => {
    const broken = interpreter();
    writeFileSync(broken, '#!/bin/sh\nif [ "$1 $3" = "-c venv" ]; then mkdir "$5"; echo "no room"; exit 1; fi\nexec python3 "$@"\n');

    await expect(prepare(started({ interpreter: broken }), { config: withVenv, requirementsFile: undefined })).rejects.toThrow(
      'Virtual environment creation failed for model dogs (no room)',
    );
    expect(cached()).toEqual([]);
    expect(readdirSync(directory())).toEqual([]);
  });

  it('is not for C++', async () => {
    expect(await prepare(started(), { config: withVenv, runtime: 'LSP', requirementsFile: undefined })).toBeUndefined();
  });
});

describe('an interpreter', () => {
  it('out of the list is what a model runs on that asks for it, whatever its runtime', async () => {
    const python = interpreter();
    const server = started({ named: new Map([['mine', python]]) });

    for (const runtime of ['python', 'python3'] as const)
      expect(await prepare(server, { runtime, config: named('mine'), requirementsFile: undefined })).toEqual({ interpreter: python, packages: undefined });
  });

  it('that is not in the list is refused with the name of the setting', async () => {
    const server = started({
      named: new Map([
        ['a', 'a'],
        ['b', 'b'],
      ]),
    });

    await expect(prepare(server, { config: named('c') })).rejects.toSatisfy(
      (error) => PythonNotListed.is(error) && error.message === 'Model dogs asks for the python c, which sconce_pythons does not list (listed: a, b)',
    );
  });
});
