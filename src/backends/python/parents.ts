import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BackendUnavailable } from '../../errors/backend.js';
import { DEFAULT_TENANT } from '../../inference/principal.js';
import type { ServableModel } from '../../inference/servable-model.js';
import { tenantNameOf } from '../../inference/tenant.js';
import { WarmParent } from './parent.js';
import type { PythonBackendOptions } from './python-options.js';
import { parentEnvironment } from './worker-environment.js';

/** How long a parent that isn't the server's own warm one stays without workers. */
const IDLE_MS = 60_000;

interface Kept {
  readonly parent: WarmParent;
  idleTimer: NodeJS.Timeout | undefined;
}

/**
 * The warm parents: one per interpreter, and a second one without torch for models that bring modules of the same names as torch and its dependencies. One
 * of a virtual environment into which an archive had packages installed runs nothing of it: its workers enter it when they are enclosed.
 * A parent that has died is replaced when it is next asked for. Each tenant has parents of its own: what a worker was told to start with (its environment, its
 * folders) has passed through the memory of its parent, and what is forked from there later can find it.
 */
export class Parents {
  readonly #kept = new Map<string, Kept>();
  #ended = false;

  constructor(private readonly options: PythonBackendOptions) {}

  /** The parent to fork the model's workers from, ready. Rejects with BackendUnavailable. */
  async parentFor(model: ServableModel): Promise<WarmParent> {
    const interpreter = this.#interpreterOf(model);
    const tenant = tenantNameOf(model.tenant);
    if (model.python?.startedBy !== undefined) {
      const apart = this.#get(tenant, model.python.startedBy, false, model.python.interpreter);
      await apart.ready;
      return apart;
    }
    const first = this.#get(tenant, interpreter, this.options.warmImports);
    const { warmModules } = await first.ready;
    if (warmModules.size === 0 || !(await brings(model, warmModules))) return first;
    const cold = this.#get(tenant, interpreter, false);
    await cold.ready;
    return cold;
  }

  /** A parent for workers of a model that isn't Python, ready. Rejects with BackendUnavailable. */
  async plainParent(model: ServableModel): Promise<WarmParent> {
    const tenant = tenantNameOf(model.tenant);
    // One that is there already has what it takes.
    const warm = this.#kept.get(keyOf(tenant, this.options.interpreter, true));
    const parent = warm?.parent.alive ? warm.parent : this.#get(tenant, this.options.interpreter, false);
    await parent.ready.catch((error: unknown) => {
      const permit = this.options.sandbox?.policy.isolationOf(model).permit;
      if (permit === undefined || !(error instanceof Error)) throw error;
      const hint = `model ${model.name} is to run in a process, which Python makes, and ${permit} would let it run in a thread of the server`;
      throw BackendUnavailable({ backend: model.backend, why: `${error.message}; ${hint}` }, error);
    });
    return parent;
  }

  async end(): Promise<void> {
    this.#ended = true;
    const all = [...this.#kept.values()];
    this.#kept.clear();
    for (const { idleTimer } of all) clearTimeout(idleTimer);
    await Promise.all(all.map(({ parent }) => parent.end()));
  }

  #interpreterOf(model: ServableModel): string {
    if (model.runtime === 'LSP') throw BackendUnavailable({ backend: 'python', why: 'C++ handlers (runtime LSP) are not served' });
    if (model.python !== undefined) return model.python.interpreter;
    return model.runtime === 'python3' ? 'python3' : this.options.interpreter;
  }

  #get(tenant: string, interpreter: string, withTorch: boolean, environment?: string): WarmParent {
    if (this.#ended) throw BackendUnavailable({ backend: 'python', why: 'it is stopped' });
    const key = keyOf(tenant, interpreter, withTorch, environment);
    const found = this.#kept.get(key);
    if (found?.parent.alive) {
      this.#watchIdle(key, found);
      return found.parent;
    }
    clearTimeout(found?.idleTimer);
    const { pythonHome, runDirectory, confinement, sandbox, log } = this.options;
    const onIdle = () => this.#watchIdle(key, kept);
    const kept: Kept = {
      parent: new WarmParent({
        interpreter,
        pythonHome,
        runDirectory,
        environment: parentEnvironment(this.options),
        withTorch,
        virtualEnvironment: environment,
        groups: confinement.groups,
        encloses: sandbox !== undefined,
        onIdle,
        log,
      }),
      idleTimer: undefined,
    };
    this.#kept.set(key, kept);
    this.#watchIdle(key, kept);
    return kept.parent;
  }

  #watchIdle(key: string, kept: Kept): void {
    clearTimeout(kept.idleTimer);
    if (this.#ended || key === keyOf(DEFAULT_TENANT, this.options.interpreter, true)) return;
    kept.idleTimer = setTimeout(() => {
      if (kept.parent.workers > 0) return;
      if (this.#kept.get(key) === kept) this.#kept.delete(key);
      void kept.parent.end();
    }, IDLE_MS);
    kept.idleTimer.unref();
  }
}

function keyOf(tenant: string, interpreter: string, withTorch: boolean, environment?: string): string {
  return JSON.stringify([tenant, interpreter, withTorch, environment]);
}

/** Whether the model's folder, or its installed packages, hold a module that an import by its code must find before the parent's. */
async function brings({ directory, python }: ServableModel, warmModules: ReadonlySet<string>): Promise<boolean> {
  for (const folder of [directory, ...(python?.packages === undefined ? [] : [python.packages])]) if (await holdsAny(folder, warmModules)) return true;
  return false;
}

async function holdsAny(folder: string, warmModules: ReadonlySet<string>): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const [name = '', ...endings] = entry.name.split('.');
    if (!warmModules.has(name)) continue;
    if (/^(py|pyc|so)$/.test(endings.at(-1) ?? '')) return true;
    // A folder without __init__.py gives way to any ordinary package.
    if (endings.length === 0 && (await exists(join(folder, name, '__init__.py')))) return true;
  }
  return false;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
