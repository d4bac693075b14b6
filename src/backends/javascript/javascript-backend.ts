import { AbandonedThreads } from '../abandoned-threads.js';
import type { Backend, Runner, RunnerEvents, RunnerSpec } from '../backend.js';
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
}

/** Runs JavaScript and TypeScript handlers, each replica on a worker thread of its own. A thread keeps handlers apart; it is no sandbox. */
export class JavascriptBackend implements Backend {
  readonly name = 'javascript';
  readonly #abandoned = new AbandonedThreads();

  constructor(private readonly options: JavascriptBackendOptions) {}

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  createRunner(spec: RunnerSpec, events: RunnerEvents): Runner {
    const { environment, maxHeapMb, devTracebacks = false } = this.options;
    return new ThreadRunner({
      spec,
      events,
      abandoned: this.#abandoned,
      entry: threadEntry(import.meta.url, 'handler-thread'),
      data: () => dataFor(spec, devTracebacks),
      environment,
      maxHeapMb,
    });
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
