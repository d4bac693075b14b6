import { LoadFailed, ToldInModelLog } from '../errors/backend.js';
import { SconceError } from '../errors/sconce-error.js';
import type { Batch, BatchSink } from '../inference/batch.js';
import type { Log, Observer } from '../observability/observer.js';
import { BackOff } from './back-off.js';
import type { Backend, Runner, RunnerEvents, RunnerExit, RunnerSpec } from './backend.js';
import { type CrashLog, LATE, looksOutOfMemory, probableCause } from './crash-log.js';
import type { RestartTurns } from './restart-turns.js';
import type { SandboxReport } from './sandbox-report.js';

/** Told of what happens to a replica; the calls come in the order of the state table. */
export interface ReplicaOwner {
  ready(replica: Replica): void;
  /** What it ran is lost. `outOfMemory`: the kernel's doing, as far as can be seen. */
  lost(replica: Replica, outOfMemory: boolean): void;
  /** Its state changed in a way that counts for supply (waiting, exhausted, stopped). */
  changed(replica: Replica): void;
}

export interface ReplicaOptions {
  readonly spec: RunnerSpec;
  readonly recoveryWindowMs: number;
  readonly responseTimeoutMs: number;
  readonly crashes: CrashLog;
  readonly observer: Observer;
  readonly log: Log;
  /** Those of its tenant; undefined: it loads again whenever its back-off is over. */
  readonly restarts?: RestartTurns | undefined;
}

export type ReplicaState = 'starting' | 'ready' | 'waiting' | 'exhausted' | 'stopping' | 'stopped';

/** TorchServe's names of the states, for the log lines that people grep for. */
const TORCHSERVE_STATES: Readonly<Record<ReplicaState, string>> = {
  starting: 'WORKER_STARTED',
  ready: 'WORKER_MODEL_LOADED',
  waiting: 'WORKER_STOPPED',
  exhausted: 'WORKER_STOPPED',
  stopping: 'WORKER_SCALED_DOWN',
  stopped: 'WORKER_SCALED_DOWN',
};

/**
 * One running copy of a model version, kept running: it loads, serves, and after a death loads again with back-off.
 *
 *  state      event → next                                          promise while here
 *  starting   loaded → ready, load failed → waiting                 ≤ startupTimeoutMs
 *  ready      runner exits → waiting, stop() → stopping             its lane takes batches
 *  waiting    back-off and the wait for a turn over → starting,     no process
 *             window used up → exhausted
 *  exhausted  revive() → starting                                   no process; nothing will come by itself
 *  stopping   runner gone → stopped                                 no new batch
 *  stopped    –                                                     no process, no timer
 */
export class Replica {
  readonly createdAtMs = Date.now();
  readonly name: string;
  #state: ReplicaState = 'starting';
  #runner: Runner | undefined;
  #backOff: BackOff;
  #retryTimer: NodeJS.Timeout | undefined;
  /** Ends the turn that its restart has, or waits for. */
  #endTurn: (() => void) | undefined;
  #timedOut = false;
  /** Batches in a row that took too long. */
  #timeOuts = 0;
  readonly #inFlight = new Map<number, readonly string[]>();
  #requestsServed = 0;
  #readyAtMs = 0;
  #settleFirst: ((error: SconceError | undefined) => void) | undefined;
  /** The outcome of the first load: undefined when it succeeded. */
  readonly firstLoad: Promise<SconceError | undefined>;

  constructor(
    private readonly backend: Backend,
    private readonly options: ReplicaOptions,
    private readonly owner: ReplicaOwner,
  ) {
    this.name = options.spec.workerName;
    this.#backOff = new BackOff(options.recoveryWindowMs);
    this.firstLoad = new Promise((resolve) => {
      this.#settleFirst = resolve;
    });
  }

  get state(): ReplicaState {
    return this.#state;
  }

  get id(): number {
    return this.options.spec.workerId;
  }

  get pid(): number | undefined {
    return this.#runner?.pid;
  }

  get sandbox(): SandboxReport | undefined {
    return this.#runner?.sandbox;
  }

  get device(): RunnerSpec['device'] {
    return this.options.spec.device;
  }

  get share(): RunnerSpec['share'] {
    return this.options.spec.share;
  }

  get pipelineDepth(): number {
    return this.#runner?.pipelineDepth ?? 1;
  }

  /** Running, or may run again by itself. TorchServe's ping counts these. */
  get recoverable(): boolean {
    return this.#state === 'starting' || this.#state === 'ready' || this.#state === 'waiting';
  }

  /** Worth waiting for: running, starting, or in an early retry. */
  get hopeful(): boolean {
    return this.#state === 'ready' || ((this.#state === 'starting' || this.#state === 'waiting') && this.#backOff.hopeful);
  }

  /** Requests answered and milliseconds of service since it last became ready. */
  get service(): { readonly requests: number; readonly readyForMs: number } {
    return { requests: this.#requestsServed, readyForMs: this.#state === 'ready' ? performance.now() - this.#readyAtMs : 0 };
  }

  memoryBytes(): Promise<number | undefined> {
    return this.#runner?.memoryBytes() ?? Promise.resolve(undefined);
  }

  /** Loads in the background; watch `firstLoad` or the owner's calls. */
  start(): void {
    this.#to('starting');
    const startedAtMs = performance.now();
    const { spec, observer } = this.options;
    const events: RunnerEvents = {
      output: (stream, line) => observer.workerOutput(spec.workerName, stream, line),
      exit: (exit) => this.#exited(runner, exit),
    };
    const runner = this.backend.createRunner(spec, events);
    this.#runner = runner;
    runner.load().then(
      () => {
        if (this.#runner !== runner || this.#state !== 'starting') return;
        if (this.#backOff.recovering) this.options.log.info('Auto recovery succeeded, reset recoveryStartTS');
        this.#backOff.reset();
        this.#readyAtMs = performance.now();
        this.#requestsServed = 0;
        this.#to('ready');
        observer.workerLoaded(spec.workerName, performance.now() - startedAtMs);
        this.owner.ready(this);
        this.#first(undefined);
      },
      (error: unknown) => {
        const known = error instanceof SconceError ? error : LoadFailed({ status: 500, message: 'Unknown exception' }, error);
        if (known.cause instanceof ToldInModelLog) this.options.log.error(`${this.name} could not load: ${known.cause.message}`);
        else this.options.log.error(`${this.name} could not load: ${known.message}`, known.cause);
        this.#first(known);
      },
    );
  }

  run(batch: Batch, sink: BatchSink): void {
    const runner = this.#runner;
    if (runner === undefined) return;
    this.#inFlight.set(
      batch.id,
      batch.requests.map((request) => request.id),
    );
    const sentAtMs = performance.now();
    runner.run(batch, {
      part: (index, part) => {
        // A batch may be one step of many: only a request's end counts.
        if (part.last) this.#requestsServed += 1;
        sink.part(index, part);
      },
      fail: (index, error) => {
        this.#requestsServed += 1;
        sink.fail(index, error);
      },
      done: (handlerMs) => {
        this.#inFlight.delete(batch.id);
        this.#timeOuts = 0;
        this.options.observer.workerThreadTime(this.name, Math.max(0, performance.now() - sentAtMs - handlerMs));
        sink.done(handlerMs);
      },
      held: (isHeld) => sink.held?.(isHeld),
    });
  }

  /** Nobody waits for these requests any more; they end in their own time. */
  cancel(requestIds: readonly string[]): void {
    this.#runner?.cancel?.(requestIds);
  }

  /** The batch it runs took too long: the process goes, and a new one comes. */
  timedOut(): void {
    this.#timedOut = true;
    this.#timeOuts += 1;
    this.options.log.error(`${LATE}: ${this.name}`);
    this.options.log.info(`Number or consecutive unsuccessful inference ${this.#timeOuts}`);
    this.#runner?.kill();
  }

  /** Starts again after it had given up. Does nothing in any other state. */
  revive(): void {
    if (this.#state !== 'exhausted') return;
    this.#backOff.reset();
    this.start();
    this.owner.changed(this);
  }

  /** Ends for good: finishes what it runs, at most for `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#endTurn?.();
    const runner = this.#state === 'starting' || this.#state === 'ready' ? this.#runner : undefined;
    this.#to('stopping');
    this.owner.changed(this);
    await runner?.stop(graceMs);
    this.#to('stopped');
    this.#first(LoadFailed({ status: 500, message: 'The worker was stopped while it was loading.' }));
    this.owner.changed(this);
  }

  #exited(runner: Runner, exit: RunnerExit): void {
    if (this.#runner !== runner) return;
    const wasReady = this.#state === 'ready';
    const wasStopping = this.#state === 'stopping' || this.#state === 'stopped';
    const timedOut = this.#timedOut;
    this.#timedOut = false;
    if (!exit.expected || timedOut) this.#record(exit, timedOut, wasReady);
    this.#inFlight.clear();
    this.options.log.info(`${this.id} Worker disconnected. ${TORCHSERVE_STATES[this.#state]}`);
    if (wasStopping) return this.owner.lost(this, false);
    this.#runner = undefined;
    this.#wait();
    this.owner.lost(this, looksOutOfMemory(exit) && !timedOut);
    this.owner.changed(this);
  }

  #wait(): void {
    this.options.log.info(this.#backOff.recovering ? 'Auto recovery failed again' : `Auto recovery start timestamp: ${Date.now()}`);
    const delayMs = this.#backOff.next(performance.now());
    if (delayMs === undefined) {
      this.#to('exhausted');
      this.options.log.error(`${this.name} failed for longer than its recovery window; it is not restarted any more. Scale the model to try again.`);
      return;
    }
    this.#to('waiting');
    this.options.log.info(`Retry worker: ${this.id} in ${delayMs / 1000} seconds.`);
    this.#retryTimer = setTimeout(() => this.#startInTurn(), delayMs);
  }

  #startInTurn(): void {
    const start = () => {
      this.start();
      this.owner.changed(this);
    };
    if (this.options.restarts === undefined) start();
    else this.#endTurn = this.options.restarts.take(start);
  }

  #record(exit: RunnerExit, timedOut: boolean, wasReady: boolean): void {
    const { spec, crashes, log, responseTimeoutMs } = this.options;
    const requestIds = [...this.#inFlight.values()].flat();
    const cause = probableCause(exit, timedOut ? responseTimeoutMs : undefined);
    crashes.add({
      atMs: Date.now(),
      model: spec.model.name,
      version: spec.model.version,
      workerName: this.name,
      pid: this.#runner?.pid,
      exitCode: exit.code,
      signal: exit.signal,
      during: wasReady ? (requestIds.length > 0 ? 'predict' : 'idle') : 'load',
      cause,
      requestIds,
      memoryPeakBytes: exit.memoryPeakBytes,
      lastLines: exit.lastLines,
    });
    const inFlight = requestIds.length > 0 ? `, with ${requestIds.length} request(s) in flight` : '';
    // The name of TorchServe's exception on a line of its own: people's alerts look for both.
    const isLate = timedOut || cause.startsWith(LATE);
    log.warn(`Backend worker error: ${this.name} ended${inFlight}: ${cause}${isLate ? `\norg.pytorch.serve.wlm.WorkerInitializationException: ${LATE}` : ''}`);
  }

  #first(outcome: SconceError | undefined): void {
    this.#settleFirst?.(outcome);
    this.#settleFirst = undefined;
  }

  #to(next: ReplicaState): void {
    const before = this.#state;
    this.#state = next;
    if (before === 'starting' && next !== 'starting') this.#endTurn?.();
    if (before !== next) this.options.log.debug(`${this.name} State change ${TORCHSERVE_STATES[before]} -> ${TORCHSERVE_STATES[next]}`);
  }
}
