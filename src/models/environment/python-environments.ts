import { readdir, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { z } from 'zod';
import { DependenciesFailed } from '../../errors/model.js';
import type { ModelPython, ServableModel } from '../../inference/servable-model.js';
import type { Log } from '../../observability/observer.js';
import { COMPLETE, MarkedFolders } from '../marked-folders.js';
import { buildEnvironment } from './environment-builder.js';
import { environmentKey } from './environment-key.js';
import { type InterpreterFacts, Interpreters } from './interpreters.js';
import { LeadsOut } from './leading-out.js';
import { type Requirements, readRequirements } from './requirements.js';

export interface PythonEnvironmentsOptions {
  /** Folder of the cache, absolute; an environment lies in it under its key. */
  readonly cacheFolder: string;
  /** Folder of this server run, for environments that cannot outlive it. */
  readonly workDirectory: string;
  /** python/sconce_worker/build_environment.py */
  readonly script: string;
  /** Of models that name none. */
  readonly interpreter: string;
  /** `sconce_pythons` */
  readonly named: ReadonlyMap<string, string>;
  /** What workers, and pip, find in their environment. */
  readonly environment: Readonly<Record<string, string>>;
  /** Install requirements of archives. */
  readonly install: boolean;
  /** Whether the operator lets the requirements of a model name indexes, addresses and files of their own, and run their code as the server. */
  readonly mayLeadOut: (model: string) => boolean;
  /** Install from this folder alone, absolute. */
  readonly wheelFolder: string | undefined;
  /** For one model. */
  readonly timeoutMs: number;
  /** Lines that pip writes, and what is done for a model. */
  readonly output: (model: string, line: string) => void;
  /** Ends all builds, now and later: the server stops. */
  readonly stopping: AbortSignal;
  readonly log: Log;
}

export interface PrepareWish {
  /** The model's folder belongs to it alone, and may be written to. */
  readonly ownsFolder: boolean;
  /** Ends the build; its reason is a text. */
  readonly signal: AbortSignal;
}

/** An environment that is wanted, and where it is or will be. */
interface Wanted {
  readonly model: ServableModel;
  readonly interpreter: InterpreterFacts;
  readonly inVenv: boolean;
  readonly requirements: Requirements | undefined;
  /** Nothing that the requirements bring is run as the server, now or later. */
  readonly confined: boolean;
  readonly folders: MarkedFolders;
  readonly key: string;
  readonly home: string;
  /** Folder of the installed packages. */
  readonly packages: string;
}

/** Runs a module of the interpreter as `-m` does, but for one thing: the working directory is the model's, and none of its files is taken for one of the interpreter's. */
const RUN_MODULE = [
  '-c',
  'import sys; sys.path[:] = [path for path in sys.path if path]; import runpy; del sys.argv[0]; runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)',
] as const;

const marker = z.object({ packages: z.array(z.string()) });

/**
 * The Python environments of models, by the content that they are made from: the first model that needs one has it built, and all others, after a
 * restart and in other servers of this machine too, get it at once. A built environment is not written to by the server any more.
 */
export class PythonEnvironments {
  readonly #interpreters: Interpreters;
  readonly #cached: MarkedFolders;
  readonly #ofThisRun: MarkedFolders;

  constructor(private readonly options: PythonEnvironmentsOptions) {
    this.#interpreters = new Interpreters(options);
    this.#cached = new MarkedFolders(options.cacheFolder, options.log);
    this.#ofThisRun = new MarkedFolders(join(options.workDirectory, 'environments'), options.log);
  }

  /**
   * Gives what the model's workers run in, building it where that is needed; undefined: the server's interpreter as it is. Rejects with
   * DependenciesFailed, PythonNotListed or PythonUnusable, and leaves nothing behind then.
   */
  async prepare(model: ServableModel, wish: PrepareWish): Promise<ModelPython | undefined> {
    const interpreter = this.#interpreters.of(model);
    const isNamed = model.config.sconce.python !== undefined;
    const inVenv = model.config.useVenv === true && model.runtime !== 'LSP';
    const isInstalled = this.options.install && model.requirementsFile !== undefined;
    if (!inVenv && !isInstalled && !isNamed) return undefined;
    const facts = await this.#interpreters.facts(interpreter);
    if (!inVenv && !isInstalled) return { interpreter, packages: undefined };
    const wanted = await this.#wanted(model, facts, inVenv);
    await this.#make(wanted, wish.signal);
    if (inVenv) {
      const startedBy = wanted.confined ? interpreter : undefined;
      return { interpreter: await this.#venvInterpreter(wanted, wish.ownsFolder), packages: undefined, startedBy };
    }
    await assertInside(wanted, wanted.packages, `Invalid 3rd party package installation path ${wanted.packages}`);
    return { interpreter, packages: wanted.packages };
  }

  async #wanted(model: ServableModel, interpreter: InterpreterFacts, inVenv: boolean): Promise<Wanted> {
    const { install, environment, wheelFolder, mayLeadOut } = this.options;
    const requirements = install && model.requirementsFile !== undefined ? await this.#requirements(model, model.requirementsFile) : undefined;
    const missing = inVenv ? (['venv', 'ensurepip'] as const) : (['pip'] as const);
    const lacking = missing.find((name) => interpreter.lacks.includes(name));
    if (lacking !== undefined) throw failed(model, inVenv ? 'venv' : 'pip', `${interpreter.interpreter} lacks ${lacking}; ${HOW_TO_GET[lacking]}`);
    const folders = requirements?.isEditable ? this.#ofThisRun : this.#cached;
    if (requirements !== undefined && wheelFolder !== undefined) {
      await readdir(wheelFolder).catch((error: unknown) => {
        throw failed(model, 'pip', `sconce_wheel_folder ${wheelFolder} cannot be read`, error);
      });
    }
    const confined = requirements !== undefined && !mayLeadOut(model.name);
    const key = await environmentKey({ root: folders.root, inVenv, interpreter, requirements, confined, wheelFolder, environment });
    const home = folders.home(key);
    const packages = inVenv ? join(home, 'venv', interpreter.packagesInVenv) : join(home, 'packages');
    return { model, interpreter, inVenv, requirements, confined, folders, key, home, packages };
  }

  async #requirements(model: ServableModel, name: string): Promise<Requirements> {
    const file = resolve(model.directory, name);
    if (!file.startsWith(model.directory + sep)) throw failed(model, 'pip', `${name} lies outside the archive`);
    const { environment, mayLeadOut } = this.options;
    return readRequirements(file, { ...model, environment, confined: !mayLeadOut(model.name) }).catch((error: unknown) => {
      if (error instanceof LeadsOut) throw failed(model, 'pip', `${error.message}; ${grantFor(model)} permits it`, error);
      const why = error instanceof Error ? error.message : String(error);
      throw failed(model, 'pip', why.startsWith('ENOENT') ? `${missingFile(error, model) ?? name} is not in the archive` : why, error);
    });
  }

  /** Sees to it that the environment is there. */
  async #make(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { model, interpreter, inVenv, requirements, folders, key, home, packages } = wanted;
    const { script, environment, output, stopping, timeoutMs } = this.options;
    const tell = (line: string) => output(model.name, line);
    if (await folders.give(key)) return this.#tellFound(wanted);
    tell(`Making the Python environment of model ${model.name}: ${home}`);
    const tooLong = new AbortController();
    const timer = setTimeout(() => tooLong.abort(`not done within sconce_install_timeout_s=${timeoutMs / 1000}`), timeoutMs);
    const order = {
      home,
      marker: COMPLETE,
      about: { model: model.name, python: interpreter.version, kind: inVenv ? 'venv' : 'packages' },
      steps: this.#steps(wanted),
      directory: model.directory,
      packages,
      inherit_after: inVenv ? 0 : null,
    };
    const outcome = await buildEnvironment(order, {
      interpreter: interpreter.interpreter,
      script,
      environment,
      output: tell,
      signal: AbortSignal.any([signal, stopping, tooLong.signal]),
    });
    clearTimeout(timer);
    if (outcome.ended === 'failed') {
      const step = inVenv && (outcome.step === 0 || requirements === undefined) ? 'venv' : 'pip';
      if (wanted.confined && /No matching distribution found/.test(outcome.reason))
        tell(`Wheels alone were looked for, as building a package runs its code with the rights of the server; ${grantFor(model)} permits it`);
      tell(FAILED[step](model.name));
      throw failed(model, step, outcome.reason);
    }
    if (outcome.ended === 'found') return this.#tellFound(wanted);
    if (inVenv) tell(`Created virtual environment for model ${model.name}: ${join(home, 'venv')}`);
    if (requirements !== undefined) tell(`Installed custom pip packages for model ${model.name}`);
    await folders.prune();
  }

  #steps({ interpreter: { interpreter }, inVenv, requirements, confined, home, packages }: Wanted): readonly (readonly string[])[] {
    const venv = join(home, 'venv');
    const { wheelFolder } = this.options;
    const steps = inVenv ? [[interpreter, ...RUN_MODULE, 'venv', '--clear', venv]] : [];
    if (requirements === undefined) return steps;
    const python = inVenv ? join(venv, 'bin', 'python') : interpreter;
    const where = inVenv ? ['--upgrade-strategy', 'only-if-needed'] : ['-t', packages];
    const from = wheelFolder === undefined ? [] : ['--no-index', '--find-links', wheelFolder];
    // Whatever else is installed by running it.
    const what = confined ? ['--only-binary', ':all:'] : [];
    const quietly = ['--disable-pip-version-check', '--no-input'];
    return [...steps, [python, ...RUN_MODULE, 'pip', 'install', ...quietly, '-U', ...from, ...where, '-r', requirements.file, ...what]];
  }

  /** A model that changes an environment changes it for all others that use it: that is said. */
  async #tellFound({ model, home, packages }: Wanted): Promise<void> {
    const { output, log } = this.options;
    output(model.name, `Found the Python environment of model ${model.name}, nothing is installed: ${home}`);
    try {
      const built = new Set(marker.parse(JSON.parse(await readFile(join(home, COMPLETE), 'utf8'))).packages);
      const found = (await readdir(packages)).filter((name) => name !== '__pycache__');
      const changed = [...found.filter((name) => !built.delete(name)), ...built];
      if (changed.length === 0) return;
      const line = `The Python environment ${home} was changed after it was built: ${changed.slice(0, 10).join(', ')}. Delete it to have it built anew.`;
      log.warn(line);
      output(model.name, line);
    } catch (error) {
      log.warn(`The Python environment ${home} cannot be looked at: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** `{model}/venv/bin/python`, as under TorchServe; the folder of a model that is served in place is left as it is. */
  async #venvInterpreter(wanted: Wanted, ownsFolder: boolean): Promise<string> {
    const { model, home } = wanted;
    const venv = join(home, 'venv');
    await assertInside(wanted, venv, `Invalid python venv path for model ${model.name}: ${venv}`);
    if (!ownsFolder) return join(venv, 'bin', 'python');
    const link = join(model.directory, 'venv');
    await rm(link, { recursive: true, force: true });
    await symlink(venv, link);
    return join(link, 'bin', 'python');
  }
}

/** A link in the cache must not make the server run or read what lies elsewhere. Throws DependenciesFailed. */
async function assertInside({ folders }: Wanted, path: string, message: string): Promise<void> {
  const [root, real] = await Promise.all([realpath(folders.root), realpath(path)]);
  if (!real.startsWith(root + sep)) throw DependenciesFailed({ message });
}

type Step = 'venv' | 'pip';

const FAILED: Readonly<Record<Step, (model: string) => string>> = {
  venv: (model) => `Virtual environment creation failed for model ${model}`,
  pip: (model) => `Custom pip package installation failed for model ${model}`,
};

const HOW_TO_GET = {
  pip: 'python -m ensurepip installs it (on Debian and Ubuntu: apt install python3-pip)',
  venv: 'on Debian and Ubuntu: apt install python3-venv',
  ensurepip: 'on Debian and Ubuntu: apt install python3-venv',
} as const;

function grantFor({ name }: ServableModel): string {
  return `sconce_grants={"${name}": {"requirements": "anywhere"}}`;
}

function failed(model: ServableModel, step: Step, reason: string, cause?: unknown): Error {
  return DependenciesFailed({ message: FAILED[step](model.name), reason }, cause);
}

/** Relative to the model, where it lies in it. */
function missingFile(error: unknown, { directory }: ServableModel): string | undefined {
  const path = error instanceof Error && 'path' in error ? String(error.path) : undefined;
  return path?.startsWith(directory + sep) ? relative(directory, path) : path;
}
