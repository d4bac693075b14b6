import type { Batch, BatchSink } from '../inference/batch.js';
import type { ServableModel } from '../inference/servable-model.js';
import type { ServedSignature } from '../inference/served-signature.js';
import type { FairPlaces } from '../threads/fair-places.js';
import type { Isolation } from './isolation.js';
import type { Share } from './placement.js';
import type { SandboxReport } from './sandbox-report.js';

/** Where a replica computes. `id` is the device's ordinal as the model sees it; `visible` are the server's ordinals that a group of ranks has to itself. */
export type Device = { readonly kind: 'cpu' } | { readonly kind: 'gpu'; readonly id: number; readonly visible?: readonly number[] | undefined };

/** Everything a runner needs to know of the copy it is to run. */
export interface RunnerSpec {
  readonly model: ServableModel;
  /** Worker number as TorchServe counts: 9000, 9001, … Kept across restarts of the same replica. */
  readonly workerId: number;
  /** `W-9000-mnist_1.0`: the name in logs and metrics. */
  readonly workerName: string;
  readonly device: Device;
  readonly batchSize: number;
  /** Its part of the machine's processors. Threads give way to OMP_NUM_THREADS in the environment. */
  readonly share: Share;
  /** Where the server's own threads are shared by tenants: a runner that computes on them takes a place for each batch. */
  readonly places?: FairPlaces | undefined;
  /** How long `load` may take. */
  readonly startupTimeoutMs: number;
  /** Longest body of one prediction in bytes. Longer: every request of the batch fails with ResponseTooLarge and the runner ends. */
  readonly maxResponseBytes: number;
}

/** How a runner ended. Exactly one exit is reported per runner whose `load` was called, asked for or not. */
export interface RunnerExit {
  /** True when `stop` or `kill` was called first. */
  readonly expected: boolean;
  readonly code: number | undefined;
  /** Such as `SIGKILL`. */
  readonly signal: string | undefined;
  /** Highest resident size seen, bytes. */
  readonly memoryPeakBytes: number | undefined;
  /** What ended it, where that was decided or seen. */
  readonly verdict?: string | undefined;
  /** Whether it ended because memory ran out; undefined where that can't be told. */
  readonly outOfMemory?: boolean | undefined;
  /** The last lines of its output, oldest first; at most 50. */
  readonly lastLines: readonly string[];
}

export interface RunnerEvents {
  /** A line the model's code wrote. */
  output(stream: 'stdout' | 'stderr', line: string): void;
  exit(exit: RunnerExit): void;
}

/**
 * One process or thread that holds a loaded model: it knows nothing of restarts, queues or policies.
 *
 *  state      event → next                                  promise while here
 *  created    load() → loading                              nothing runs yet
 *  loading    loaded → ready, failure → gone                load() settles within startupTimeoutMs
 *  ready      run() up to `pipelineDepth` batches           batches run one after the other, in the order given
 *  stopping   last batch done → gone                        no new batch is given
 *  gone       –                                             `exit` was reported; batches in flight are never reported again
 */
export interface Runner {
  /** Batches that may be given before the first is done: the next one lies ready when the one before ends. */
  readonly pipelineDepth: number;
  /** Operating-system process id, or undefined for a thread. */
  readonly pid: number | undefined;
  /** Rejects with LoadFailed (500, or 507 when memory ran out), then `exit` is reported. */
  load(): Promise<void>;
  run(batch: Batch, sink: BatchSink): void;
  /** Nobody waits for these requests any more, by their ids. A runner that can't tell the model's code has no such method. */
  cancel?(requestIds: readonly string[]): void;
  /** Finishes the batches it holds, then ends. Killed when that takes longer than `graceMs`. */
  stop(graceMs: number): Promise<void>;
  kill(): void;
  /** What holds around it; absent or undefined where nothing does, or until that is known. */
  readonly sandbox?: SandboxReport | undefined;
  /** Resident memory now in bytes, if it can be told cheaply. */
  memoryBytes(): Promise<number | undefined>;
}

/** A kind of runtime. A new one is a new folder beside this file and one line in the composition root. */
export interface Backend {
  readonly name: 'python' | 'onnx' | 'javascript';
  /** Gets ready for a first runner (a warm parent, say); called before any runner is created, never awaited by a request. */
  prepare(model: ServableModel): Promise<void>;
  createRunner(spec: RunnerSpec, events: RunnerEvents): Runner;
  /** Only of a backend that runs tensors itself: what the model takes and gives, undefined until a replica of it has loaded. */
  signatureOf?(model: ServableModel): ServedSignature | undefined;
  /** Only of a backend whose models needn't be processes: where one runs, and why. undefined where nobody decides. */
  isolationOf?(model: ServableModel): Isolation | undefined;
  /** Ends whatever outlives runners. All runners are gone by then. */
  stop(): Promise<void>;
}
