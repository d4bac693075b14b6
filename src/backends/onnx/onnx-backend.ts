import type { ServableModel } from '../../inference/servable-model.js';
import { readServedSignature, type ServedSignature } from '../../inference/served-signature.js';
import { AbandonedThreads } from '../abandoned-threads.js';
import type { Backend, Runner, RunnerEvents, RunnerSpec } from '../backend.js';
import type { ProcessHost } from '../hosted-program.js';
import type { Isolation } from '../isolation.js';
import { threadEntry } from '../thread-entry.js';
import { ThreadRunner } from '../thread-runner.js';
import type { OnnxModelData } from './onnx-model.js';
import { readPipelineConfig } from './pipeline/pipeline-config.js';

export interface OnnxBackendOptions {
  /** Pictures of more pixels are refused before they are decoded. */
  readonly maxImagePixels: number;
  /** Runs those models in processes of their own that are to; undefined: all are threads. */
  readonly host?: ProcessHost | undefined;
}

export const DEFAULT_MAX_IMAGE_PIXELS = 64_000_000;

/** Runs ONNX models: a worker thread with a session of its own per replica, or a process where the operator wants one. */
export class OnnxBackend implements Backend {
  readonly name = 'onnx';
  readonly #abandoned = new AbandonedThreads();
  readonly #signatures = new WeakMap<ServableModel, ServedSignature>();

  constructor(private readonly options: OnnxBackendOptions) {}

  async prepare(model: ServableModel): Promise<void> {
    const { host } = this.options;
    if (host?.isolationOf(model).runs === 'process') await host.prepareHost(model);
  }

  isolationOf(model: ServableModel): Isolation | undefined {
    return this.options.host?.isolationOf(model);
  }

  createRunner(spec: RunnerSpec, events: RunnerEvents): Runner {
    const { host } = this.options;
    const entry = threadEntry(import.meta.url, 'session-thread');
    const loaded = (facts: unknown): void => {
      const signature = readServedSignature(facts);
      if (signature !== undefined) this.#signatures.set(spec.model, signature);
    };
    if (host?.isolationOf(spec.model).runs === 'process') {
      return host.createHosted(spec, events, { entry, environment: {}, data: (directory) => ({ ...this.#dataFor(spec), directory }), loaded });
    }
    return new ThreadRunner({
      spec,
      events,
      abandoned: this.#abandoned,
      entry,
      data: () => this.#dataFor(spec),
      environment: {},
      maxHeapMb: undefined,
      loaded,
    });
  }

  /** What clients of a model send and get, in KServe's words; undefined until a replica of it has loaded. */
  signatureOf(model: ServableModel): ServedSignature | undefined {
    return this.#signatures.get(model);
  }

  stop(): Promise<void> {
    return this.#abandoned.settle();
  }

  #dataFor({ model, device }: RunnerSpec): OnnxModelData {
    return {
      modelName: model.name,
      modelVersion: model.version,
      directory: model.directory,
      file: model.serializedFile,
      intraOpThreads: model.config.sconce.intraOpThreads,
      onGpu: device.kind === 'gpu',
      maxImagePixels: this.options.maxImagePixels,
      pipeline: readPipelineConfig(model.config.raw.pipeline),
    };
  }
}
