import type { Settings } from '../../config/settings.js';
import type { WorkerLimits } from '../../inference/worker-limits.js';
import { usableMemoryBytes } from '../../platform/memory.js';

const SHARE_OF_MEMORY = 0.8;

/** 0 stands for no limit, except of memory: there a worker gets most of what there is, so that one alone can't take the machine down. */
export function configuredLimits(settings: Settings): WorkerLimits {
  const mib = (value: number) => (value === 0 ? undefined : value * 2 ** 20);
  return {
    memoryBytes: mib(settings.workerMemoryMb) ?? Math.floor(usableMemoryBytes() * SHARE_OF_MEMORY),
    processes: settings.workerProcesses || undefined,
    fileBytes: mib(settings.workerFileMb),
    openFiles: settings.workerOpenFiles || undefined,
    logBytesPerS: settings.workerLogKbPerS * 1024 || undefined,
  };
}
