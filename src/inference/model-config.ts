import type { WorkerLimits } from './worker-limits.js';

/** model-config.yaml as the front end reads it. A key that was absent, or that TorchServe's rules ignore, is undefined. Times in the unit of the name. */
export interface ModelConfig {
  readonly minWorkers?: number | undefined;
  readonly maxWorkers?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly maxBatchDelayMs?: number | undefined;
  readonly responseTimeoutS?: number | undefined;
  readonly startupTimeoutS?: number | undefined;
  readonly deviceType?: 'cpu' | 'gpu' | undefined;
  readonly deviceIds?: readonly number[] | undefined;
  readonly parallelType?: 'pp' | 'tp' | 'pptp' | 'custom' | undefined;
  readonly parallelLevel?: number | undefined;
  readonly torchrun?: Readonly<Record<string, string | number>> | undefined;
  readonly maxRetryTimeoutS?: number | undefined;
  readonly clientTimeoutMs?: number | undefined;
  readonly jobQueueSize?: number | undefined;
  readonly useJobTicket?: boolean | undefined;
  readonly continuousBatching?: boolean | undefined;
  readonly sequenceBatching?: boolean | undefined;
  readonly sequenceMaxIdleMs?: number | undefined;
  readonly sequenceTimeoutMs?: number | undefined;
  readonly maxSequenceJobQueueSize?: number | undefined;
  readonly maxNumSequence?: number | undefined;
  readonly asyncCommunication?: boolean | undefined;
  readonly useVenv?: boolean | undefined;
  /** Sconce's own block, `sconce:` in the YAML. */
  readonly sconce: SconceModelConfig;
  /** The whole document, untouched: a handler finds all of it in `context.model_yaml_config`; the onnx backend reads `pipeline` from it. */
  readonly raw: Readonly<Record<string, unknown>>;
  /** File name of the YAML inside the model directory, if there is one. */
  readonly file: string | undefined;
}

/** Sconce's own per-model settings, with their defaults filled in. */
export interface SconceModelConfig {
  /** Whether requests of a batch whose worker died are tried once more, each alone. YAML key `retryOnWorkerDeath`, default true. */
  readonly retryOnWorkerDeath: boolean;
  /** Replace a worker after so many seconds, requests, or bytes above its size when it became ready. undefined: never. YAML keys `recycle.afterSeconds`, `recycle.afterRequests`, `recycle.memoryGrowthMb`. */
  readonly recycleAfterS: number | undefined;
  readonly recycleAfterRequests: number | undefined;
  readonly recycleMemoryGrowthBytes: number | undefined;
  /** Threads of one worker's computations. undefined: the processors are shared out among the model's workers. YAML key `threads`. */
  readonly threads?: number | undefined;
  /** Name of the interpreter, out of the operator's `sconce_pythons`; YAML key `python`. undefined: the server's. */
  readonly python?: string | undefined;
  /** `principal`: a batch holds requests of one caller alone. YAML key `isolate`. */
  readonly isolate?: 'principal' | undefined;
  /** Threads of one ONNX session; YAML key `intraOpThreads`, default 1. */
  readonly intraOpThreads: number;
  /** Of each Python worker, beside the server's: the stricter holds. YAML keys `limits.memoryMb`, `limits.processes`, `limits.fileMb`, `limits.openFiles`, `limits.logKbPerS`. */
  readonly limits?: WorkerLimits | undefined;
  /** What the archive says that it can't do without; the operator's `sconce_grants` alone gives it. YAML keys `needs.network`, `needs.exec`. */
  readonly needs?: SandboxNeeds | undefined;
}

export interface SandboxNeeds {
  readonly network: boolean;
  readonly exec: boolean;
}

/** How many devices one worker of the model takes together; 0 for a model that isn't parallel, which takes both keys. */
export function parallelLevelOf({ parallelType, parallelLevel }: Pick<ModelConfig, 'parallelType' | 'parallelLevel'>): number {
  return parallelType === undefined ? 0 : (parallelLevel ?? 0);
}
