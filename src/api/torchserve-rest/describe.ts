import type { VersionDescription } from '../../admission/management-gate.js';
import { parallelLevelOf } from '../../inference/model-config.js';

/**
 * One element of describe, field by field in TorchServe's order. `crashes`, `inputRules`, `signature` and `isolation` are ours: they stand there when a worker has died, for
 * a model that has rules, where signatures are asked for, and for a model in a process that could be a thread. Each worker's `sandbox` is ours too: it is told, and the
 * `isolation` of threads with it, when it is asked for.
 */
export function describedVersion(version: VersionDescription, withSandbox = false): Record<string, unknown> {
  const { model, workers, queue, crashes, isolation } = version;
  const { config } = model;
  const hasSequences = (config.sequenceMaxIdleMs ?? 0) > 0;
  return {
    modelName: model.name,
    modelVersion: model.version,
    modelUrl: model.url,
    runtime: model.runtime,
    minWorkers: version.minWorkers,
    maxWorkers: version.maxWorkers,
    batchSize: version.batchSize,
    maxBatchDelay: version.maxBatchDelayMs,
    responseTimeout: version.responseTimeoutS,
    startupTimeout: version.startupTimeoutS,
    maxRetryTimeoutInSec: version.maxRetryTimeoutS,
    clientTimeoutInMills: version.clientTimeoutMs,
    parallelType: config.parallelType ?? '',
    parallelLevel: parallelLevelOf(config),
    deviceType: version.deviceType,
    ...(version.deviceIds === undefined ? {} : { deviceIds: version.deviceIds }),
    continuousBatching: config.continuousBatching ?? false,
    useJobTicket: config.useJobTicket ?? false,
    useVenv: config.useVenv ?? false,
    stateful: config.sequenceBatching ?? false,
    sequenceMaxIdleMSec: config.sequenceMaxIdleMs ?? 0,
    sequenceTimeoutMSec: config.sequenceTimeoutMs ?? 0,
    maxNumSequence: hasSequences ? (config.maxNumSequence ?? 1) : 0,
    maxSequenceJobQueueSize: hasSequences ? (config.maxSequenceJobQueueSize ?? 1) : 0,
    loadedAtStartup: version.loadedAtStartup,
    workers: workers.map((worker) => ({
      id: String(worker.id),
      startTime: new Date(worker.startedAtMs).toISOString(),
      status: worker.ready ? 'READY' : 'UNLOADING',
      memoryUsage: worker.memoryBytes,
      pid: worker.pid,
      gpu: worker.gpu,
      gpuUsage: worker.gpuUsage,
      ...(withSandbox ? { sandbox: worker.sandbox ?? 'off' } : {}),
    })),
    jobQueueStatus: { remainingCapacity: queue.remainingCapacity, pendingRequests: queue.pendingRequests },
    ...(model.inputRules === undefined ? {} : { inputRules: model.inputRules }),
    ...(model.signature === undefined ? {} : { signature: model.signature }),
    ...(isolation?.runs === 'process' || (withSandbox && isolation !== undefined) ? { isolation: `${isolation.runs}: ${isolation.why}` } : {}),
    ...(crashes.length === 0 ? {} : { crashes }),
  };
}
