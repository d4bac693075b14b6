import type { ServableModel } from '../../inference/servable-model.js';
import { AbandonedThreads } from '../abandoned-threads.js';
import type { Backend, Runner, RunnerEvents, RunnerSpec } from '../backend.js';
import type { ProcessHost } from '../hosted-program.js';
import type { Isolation } from '../isolation.js';
import { threadEntry } from '../thread-entry.js';
import { ThreadRunner } from '../thread-runner.js';
import type { HandlerModelData } from './handler-model.js';

export interface JavascriptBackendOptions {
  /** The whole of `process.env` as handlers see it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Limit of one handler's JavaScript heap in MiB; undefined leaves Node's. */
  readonly maxHeapMb: number | undefined;
  /** Whether a client hears the stack of what a handler threw: only where the client is the handler's author. No setting of a server turns it on. */
  readonly devTracebacks?: boolean | undefined;
  /** Runs those handlers in processes of their own that are to; undefined: all are threads. */
  readonly host?: ProcessHost | undefined;
}

/** Runs JavaScript and TypeScript handlers, each replica in a process of its own, or on a worker thread. A thread keeps handlers apart; it is no sandbox. */
export class JavascriptBackend implements Backend {
  readonly name = 'javascript';
  readonly #abandoned = new AbandonedThreads();

  constructor(private readonly options: JavascriptBackendOptions) {}

  async prepare(model: ServableModel): Promise<void> {
    const { host } = this.options;
    if (host?.isolationOf(model).runs === 'process') await host.prepareHost(model);
  }

  isolationOf(model: ServableModel): Isolation | undefined {
    return this.options.host?.isolationOf(model);
  }

  createRunner(spec: RunnerSpec, events: RunnerEvents): Runner {
    const { maxHeapMb, devTracebacks = false, host } = this.options;
    const { name } = spec.model;
    const environment = host?.visible(name, this.options.environment) ?? this.options.environment;
    const entry = threadEntry(import.meta.url, 'handler-thread');
    const data = dataFor(spec, devTracebacks);
    if (host?.isolationOf(spec.model).runs === 'process')
      return host.createHosted(spec, events, { entry, environment, data: (directory) => ({ ...data, directory }) });
    return new ThreadRunner({ spec, events, abandoned: this.#abandoned, entry, data: () => data, environment, maxHeapMb });
  }

  stop(): Promise<void> {
    return this.#abandoned.settle();
  }
}

function dataFor({ model, batchSize, workerName }: RunnerSpec, devTracebacks: boolean): HandlerModelData {
  return {
    modelName: model.name,
    modelVersion: model.version,
    directory: model.directory,
    handler: model.handler,
    config: model.config.raw,
    batchSize,
    workerName,
    intraOpThreads: model.config.sconce.intraOpThreads,
    devTracebacks,
  };
}
