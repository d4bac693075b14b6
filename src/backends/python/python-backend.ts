import type { ServableModel } from '../../inference/servable-model.js';
import type { Backend, Runner, RunnerEvents, RunnerSpec } from '../backend.js';
import type { HostedProgram, ProcessHost } from '../hosted-program.js';
import type { Isolation } from '../isolation.js';
import { Parents } from './parents.js';
import type { PythonBackendOptions } from './python-options.js';
import { visibleEnvironment } from './visible-environment.js';
import { WorkerChannels } from './worker-channels.js';
import { WorkerProcess } from './worker-process.js';

const NO_NEEDS = { network: false, exec: false };

/** Runs TorchServe handlers in processes of their own, forked from a warm interpreter. */
export class PythonBackend implements Backend, ProcessHost {
  readonly name = 'python';
  readonly #channels: WorkerChannels;
  readonly #parents: Parents;
  #lastKey = 0;

  constructor(private readonly options: PythonBackendOptions) {
    this.#channels = new WorkerChannels(options.runDirectory);
    this.#parents = new Parents(options);
  }

  /** Starts the model's parent if it doesn't run. Rejects with BackendUnavailable: no such interpreter, say. */
  async prepare(model: ServableModel): Promise<void> {
    const ungranted = this.options.sandbox?.policy.ungranted(model.name, model.config.sconce.needs ?? NO_NEEDS);
    if (ungranted !== undefined) this.options.log.warn(ungranted);
    await this.#channels.listen();
    await this.#parents.parentFor(model);
  }

  createRunner(spec: RunnerSpec, events: RunnerEvents): Runner {
    this.#lastKey += 1;
    return new WorkerProcess(this.#lastKey, spec, events, { channels: this.#channels, parents: this.#parents, options: this.options });
  }

  isolationOf(model: ServableModel): Isolation {
    return this.options.sandbox?.policy.isolationOf(model) ?? { runs: 'thread', why: 'its author runs it' };
  }

  visible(model: string, environment: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const rules = this.options.sandbox?.policy.of(model);
    return rules === undefined || rules.level === 'off' ? environment : visibleEnvironment(environment, rules.environment);
  }

  async prepareHost(model: ServableModel): Promise<void> {
    const { why, permit } = this.isolationOf(model);
    const hint = permit === undefined ? '' : `; ${permit} would let it run in a thread of the server`;
    this.options.log.info(`Model ${model.name} runs in a process of its own: ${why}${hint}`);
    await this.#channels.listen();
    await this.#parents.plainParent(model);
  }

  createHosted(spec: RunnerSpec, events: RunnerEvents, program: HostedProgram): Runner {
    this.#lastKey += 1;
    return new WorkerProcess(this.#lastKey, spec, events, { channels: this.#channels, parents: this.#parents, options: this.options }, program);
  }

  async stop(): Promise<void> {
    await this.#parents.end();
    await this.#channels.close();
  }
}
