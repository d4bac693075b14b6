import { TooManyWorkers } from '../errors/model.js';
import type { ModelConfig } from '../inference/model-config.js';
import type { ServableModel } from '../inference/servable-model.js';
import type { RegisterWish } from './model-service.js';

/** Workers that a model may be asked to have. */
export const MAX_WORKERS_PER_MODEL = 1000;

/** The server-wide defaults that a version's limits fall back to. */
export interface ServerDefaults {
  readonly responseTimeoutS: number;
  readonly startupTimeoutS: number;
  readonly queueSize: number;
  /** Workers of a model loaded at start: `default_workers_per_model`, else GPUs, else CPUs. */
  readonly startupWorkers: number;
  /** `default_workers_per_model` as the register API reads it: 0 means 0. */
  readonly registerWorkers: number;
}

/** What the `models` JSON of config.properties says of one version. */
export interface ConfiguredVersion {
  readonly minWorkers?: number | undefined;
  readonly maxWorkers?: number | undefined;
  readonly batchSize?: number | undefined;
  readonly maxBatchDelayMs?: number | undefined;
  readonly responseTimeoutS?: number | undefined;
  readonly startupTimeoutS?: number | undefined;
}

/** A version as it was served before: what is named beats all that resolveLimits looks at. */
export interface RestoredLimits {
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly batchSize: number;
  readonly maxBatchDelayMs?: number | undefined;
  readonly responseTimeoutS?: number | undefined;
  readonly startupTimeoutS?: number | undefined;
}

/** The limits that a version is served with; times in the unit of the name. */
export interface VersionLimits {
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
  readonly responseTimeoutS: number;
  readonly startupTimeoutS: number;
  readonly queueSize: number;
  readonly maxRetryTimeoutS: number;
  readonly clientTimeoutMs: number;
}

/** TorchServe's defaults, and ours for ONNX models, which TorchServe doesn't have: there a batch is what waits when a session is free, and nobody waits for it. */
const BATCH_DEFAULTS: Readonly<Record<ServableModel['backend'], { readonly size: number; readonly delayMs: number }>> = {
  python: { size: 1, delayMs: 100 },
  javascript: { size: 1, delayMs: 100 },
  onnx: { size: 8, delayMs: 0 },
};
const DEFAULT_RETRY_WINDOW_S = 300;

/**
 * Precedence as TorchServe has it (contract 7.4): batch settings: call > yaml > `models` JSON > default. Time-outs: yaml > `models` JSON > call > server.
 * Workers: a complete yaml pair > call or `models` JSON > default. `wish` is undefined for a model loaded at start. Throws TooManyWorkers.
 */
export function resolveLimits(
  { config, backend }: Pick<ServableModel, 'config' | 'backend'>,
  configured: ConfiguredVersion,
  wish: RegisterWish | undefined,
  defaults: ServerDefaults,
): VersionLimits {
  const [minWorkers, maxWorkers] = resolveWorkers(config, configured, wish, defaults);
  if (minWorkers > MAX_WORKERS_PER_MODEL) throw TooManyWorkers({ most: MAX_WORKERS_PER_MODEL });
  return {
    minWorkers,
    maxWorkers,
    batchSize: wish?.batchSize ?? config.batchSize ?? configured.batchSize ?? BATCH_DEFAULTS[backend].size,
    maxBatchDelayMs: wish?.maxBatchDelayMs ?? config.maxBatchDelayMs ?? configured.maxBatchDelayMs ?? BATCH_DEFAULTS[backend].delayMs,
    responseTimeoutS: config.responseTimeoutS ?? configured.responseTimeoutS ?? wish?.responseTimeoutS ?? defaults.responseTimeoutS,
    startupTimeoutS: config.startupTimeoutS ?? configured.startupTimeoutS ?? wish?.startupTimeoutS ?? defaults.startupTimeoutS,
    queueSize: config.jobQueueSize !== undefined && config.jobQueueSize > 0 ? config.jobQueueSize : defaults.queueSize,
    maxRetryTimeoutS: config.maxRetryTimeoutS ?? DEFAULT_RETRY_WINDOW_S,
    clientTimeoutMs: config.clientTimeoutMs ?? 0,
  };
}

/** The limits of a version that is restored: as it was, and where nothing is said as a model loaded at start. */
export function restoredLimits(
  model: Pick<ServableModel, 'config' | 'backend'>,
  configured: ConfiguredVersion,
  { minWorkers, maxWorkers, batchSize, maxBatchDelayMs, responseTimeoutS, startupTimeoutS }: RestoredLimits,
  defaults: ServerDefaults,
): VersionLimits {
  const limits = resolveLimits(model, configured, undefined, defaults);
  return {
    ...limits,
    minWorkers,
    maxWorkers,
    batchSize,
    maxBatchDelayMs: maxBatchDelayMs ?? limits.maxBatchDelayMs,
    responseTimeoutS: responseTimeoutS ?? limits.responseTimeoutS,
    startupTimeoutS: startupTimeoutS ?? limits.startupTimeoutS,
  };
}

function resolveWorkers(config: ModelConfig, configured: ConfiguredVersion, wish: RegisterWish | undefined, defaults: ServerDefaults): [number, number] {
  const { minWorkers = 0, maxWorkers = 0 } = config;
  if (minWorkers > 0 && maxWorkers >= minWorkers) return [minWorkers, maxWorkers];
  if (wish !== undefined) {
    const initial = Math.max(0, wish.initialWorkers ?? defaults.registerWorkers);
    return [initial, initial];
  }
  const minimum = configured.minWorkers ?? defaults.startupWorkers;
  return [minimum, Math.max(minimum, configured.maxWorkers ?? minimum)];
}
