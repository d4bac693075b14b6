/** What is kept of a worker's death, to be read by people: `sconce crashes` and describe show it. */
export interface CrashDossier {
  /** Epoch ms. */
  readonly atMs: number;
  readonly model: string;
  readonly version: string;
  readonly workerName: string;
  readonly pid: number | undefined;
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** `load`, `predict` or `idle`: what it was doing. */
  readonly during: 'load' | 'predict' | 'idle';
  /** In one line: what probably happened. */
  readonly cause: string;
  readonly requestIds: readonly string[];
  readonly memoryPeakBytes: number | undefined;
  /** The end of its output, oldest first; at most 50 lines of at most 1,000 characters. */
  readonly lastLines: readonly string[];
}
