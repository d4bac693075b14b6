import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { createInterface } from 'node:readline';
import { DependenciesFailed } from '../errors/model.js';
import type { ServableModel } from '../inference/servable-model.js';

export interface DependencyOptions {
  readonly install: boolean;
  readonly interpreter: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly output: (line: string) => void;
}

const TIMEOUT_MS = 15 * 60_000;
/** How long the output of a command that ended is still waited for: what it started may hold the pipes open. */
const OUTPUT_GRACE_MS = 5000;

/** Lets a virtual environment see the base interpreter's packages behind its own: writes a .pth with their folders, as TorchServe's set-up does. */
const INHERIT = `
import site, sysconfig, subprocess, sys, os
base, target = sys.argv[1], sys.argv[2]
names = subprocess.check_output([base, "-c", "import site; print('\\\\n'.join(site.getsitepackages() + ([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])))"], text=True)
purelib = sysconfig.get_paths()["purelib"]
open(os.path.join(purelib, "inherited-site-packages.pth"), "w").write(names)
`;

/**
 * Makes the model's virtual environment (`useVenv`) and installs its requirements, where that is switched on: into the environment, or into the model's
 * folder. Output is handed on line by line while it runs. Throws DependenciesFailed; the caller removes the model's folder.
 */
export async function installDependencies(model: ServableModel, options: DependencyOptions): Promise<void> {
  const venv = join(model.directory, 'venv');
  // As in TorchServe, the one runtime that gets an environment of its own.
  const inVenv = model.config.useVenv === true && model.runtime === 'python';
  if (inVenv) {
    const made =
      (await run(options.interpreter, ['-m', 'venv', '--clear', venv], model, options)) &&
      (await run(join(venv, 'bin', 'python'), ['-c', INHERIT, options.interpreter, venv], model, options));
    if (!made) throw DependenciesFailed({ message: `Virtual environment creation failed for model ${model.name}` });
    options.output(`Created virtual environment for model ${model.name}: ${venv}`);
  }
  if (!options.install || model.requirementsFile === undefined) return;
  const failure = DependenciesFailed({ message: `Custom pip package installation failed for model ${model.name}` });
  const requirements = resolve(model.directory, model.requirementsFile);
  if (!requirements.startsWith(model.directory + sep) || !existsSync(requirements)) throw failure;
  const stamp = join(model.directory, '.requirements-installed');
  const wanted = createHash('sha256')
    .update(await readFile(requirements))
    .update(options.interpreter)
    .digest('hex');
  if (!inVenv && existsSync(stamp) && (await readFile(stamp, 'utf8')) === wanted) return;
  const args = inVenv ? ['--upgrade-strategy', 'only-if-needed'] : ['-t', model.directory];
  const interpreter = inVenv ? join(venv, 'bin', 'python') : options.interpreter;
  if (!(await run(interpreter, ['-m', 'pip', 'install', '-U', ...args, '-r', requirements], model, options))) throw failure;
  await writeFile(stamp, wanted);
  options.output(`Installed custom pip packages for model ${model.name}`);
}

function run(command: string, args: readonly string[], model: ServableModel, options: DependencyOptions): Promise<boolean> {
  return new Promise((done) => {
    const child = spawn(command, args, {
      cwd: model.directory,
      env: options.environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', options.output);
    child.on('error', (error) => {
      options.output(error.message);
      done(false);
    });
    child.on('exit', () => {
      const grace = setTimeout(() => [child.stdout, child.stderr].map((stream) => stream.destroy()), OUTPUT_GRACE_MS);
      child.once('close', () => clearTimeout(grace));
    });
    child.on('close', (code) => done(code === 0));
  });
}
