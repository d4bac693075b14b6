import { chmodSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DependenciesFailed } from '../errors/model.js';
import type { ServableModel } from '../inference/servable-model.js';
import { type DependencyOptions, installDependencies } from './dependencies.js';
import { noModelConfig } from './model-config.js';

const VENV_PATIENCE_MS = 60_000;
let directory: string;
let lines: string[];

beforeEach(() => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-deps-')));
  lines = [];
});

afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function model(over: Partial<ServableModel> = {}): ServableModel {
  return {
    name: 'dogs',
    version: '1.0',
    url: 'dogs.mar',
    runtime: 'python',
    backend: 'python',
    directory,
    linkParent: undefined,
    handler: 'h.py',
    envelope: undefined,
    serializedFile: undefined,
    requirementsFile: 'requirements.txt',
    config: noModelConfig(),
    contentHash: '',
    downloadedArchive: undefined,
    ...over,
  };
}

/** An interpreter that tells how it was called, and then does as `script` says. */
function interpreter(script = ''): string {
  const path = join(directory, 'interpreter');
  writeFileSync(path, `#!/bin/sh\necho "called $*"\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

function options(over: Partial<DependencyOptions> = {}): DependencyOptions {
  return {
    install: true,
    interpreter: over.interpreter ?? interpreter(),
    environment: { PATH: process.env.PATH ?? '', GREETING: 'hello' },
    output: (line) => lines.push(line),
    ...over,
  };
}

describe('requirements', () => {
  it('are installed into the model folder, with the workers environment, and not again while they stay the same', async () => {
    writeFileSync(join(directory, 'requirements.txt'), 'cowsay\n');
    const given = options({ interpreter: interpreter('echo "$GREETING from $PWD" >&2') });

    await installDependencies(model(), given);
    await installDependencies(model(), given);

    const called = `called -m pip install -U -t ${directory} -r ${join(directory, 'requirements.txt')}`;
    expect([...lines].sort()).toEqual(['Installed custom pip packages for model dogs', called, `hello from ${directory}`]);

    writeFileSync(join(directory, 'requirements.txt'), 'cowsay==6\n');
    await installDependencies(model(), given);
    expect(lines.filter((line) => line === called)).toHaveLength(2);
  });

  it('are left alone where installing is off, or the manifest names none', async () => {
    await installDependencies(model(), options({ install: false }));
    await installDependencies(model({ requirementsFile: undefined }), options());

    expect(lines).toEqual([]);
  });

  it.each([
    ['are missing', 'requirements.txt', ''],
    ['lie outside the model', '../requirements.txt', ''],
    ['cannot be installed', 'there.txt', 'exit 1'],
    ['end the installer', 'there.txt', 'kill -9 $$'],
  ])('that %s are refused, and are tried again the next time', async (_, requirementsFile, script) => {
    writeFileSync(join(directory, 'there.txt'), 'x');

    await expect(installDependencies(model({ requirementsFile }), options({ interpreter: interpreter(script) }))).rejects.toSatisfy(
      (error) => DependenciesFailed.is(error) && error.message === 'Custom pip package installation failed for model dogs',
    );
    expect(existsSync(join(directory, '.requirements-installed'))).toBe(false);
  });

  it('of an interpreter that does not exist are refused and the reason is told', async () => {
    writeFileSync(join(directory, 'requirements.txt'), 'x');

    await expect(installDependencies(model(), options({ interpreter: join(directory, 'no-python') }))).rejects.toSatisfy(DependenciesFailed.is);
    expect(lines.join()).toContain('ENOENT');
  });
});

describe('an environment of its own', () => {
  const withVenv = { ...noModelConfig(), useVenv: true };

  it('sees its own packages first and those of the base interpreter behind them', { timeout: VENV_PATIENCE_MS }, async () => {
    await installDependencies(model({ config: withVenv, requirementsFile: undefined }), options({ install: false, interpreter: 'python3' }));

    expect(lines).toEqual([`Created virtual environment for model dogs: ${join(directory, 'venv')}`]);
    expect(existsSync(join(directory, 'venv', 'bin', 'python'))).toBe(true);
    const version = readFileSync(join(directory, 'venv', 'pyvenv.cfg'), 'utf8').match(/version(?:_info)? = (\d+\.\d+)/)?.[1];
    const inherited = join(directory, 'venv', 'lib', `python${version}`, 'site-packages', 'inherited-site-packages.pth');
    expect(readFileSync(inherited, 'utf8')).toMatch(/(site|dist)-packages/);
  });

  it('that cannot be made is refused', async () => {
    await expect(installDependencies(model({ config: withVenv }), options({ interpreter: interpreter('exit 1') }))).rejects.toThrow(
      'Virtual environment creation failed for model dogs',
    );
  });

  it('is for the runtime python alone', async () => {
    await installDependencies(model({ config: withVenv, runtime: 'python3', requirementsFile: undefined }), options());

    expect(lines).toEqual([]);
  });
});
