/** What one worker process and all that it starts may use together. undefined: no limit. */
export interface WorkerLimits {
  readonly memoryBytes: number | undefined;
  /** Processes and threads, counted together. */
  readonly processes: number | undefined;
  /** Longest file that it may write. */
  readonly fileBytes: number | undefined;
  readonly openFiles: number | undefined;
  /** What it may print in the long run; what is printed beyond it is dropped. */
  readonly logBytesPerS: number | undefined;
}

export const NO_LIMITS: WorkerLimits = { memoryBytes: undefined, processes: undefined, fileBytes: undefined, openFiles: undefined, logBytesPerS: undefined };

/** The stricter of each. */
export function stricter(one: WorkerLimits, other: WorkerLimits): WorkerLimits {
  const least = (a: number | undefined, b: number | undefined) => (a === undefined ? b : b === undefined ? a : Math.min(a, b));
  return {
    memoryBytes: least(one.memoryBytes, other.memoryBytes),
    processes: least(one.processes, other.processes),
    fileBytes: least(one.fileBytes, other.fileBytes),
    openFiles: least(one.openFiles, other.openFiles),
    logBytesPerS: least(one.logBytesPerS, other.logBytesPerS),
  };
}
