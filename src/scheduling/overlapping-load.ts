import { PredictionMissing, ResponseTimedOut, WorkerDied } from '../errors/backend.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { BatchSink } from '../inference/batch.js';
import type { Lane, LaneLoss } from './lane.js';
import { batchOf, type LaneLoad, type LoadHost } from './lane-load.js';
import type { PendingRequest } from './pending-request.js';

interface Running {
  readonly entries: readonly PendingRequest[];
  timer: NodeJS.Timeout | undefined;
}

/** From the word that nobody waits any more to the batch's end: what a coroutine may take to let go. A worker that doesn't is stuck, with all that it holds. */
const LET_GO_WITHIN_MS = 5_000;

/**
 * Batches that overlap on a worker with a coroutine for each, and end in any order. Each has a clock of its own: one that is late is answered and cancelled,
 * and only when it doesn't end then must the lane go. A request whose client has gone is cancelled. When the lane is lost all that it held fails: nobody
 * can tell which of the batches did it.
 */
export class OverlappingLoad implements LaneLoad {
  leaving = false;
  onEmpty: (() => void) | undefined;
  readonly #running = new Set<Running>();
  /** Those of which the worker has not said the last word. */
  readonly #open = new Set<PendingRequest>();
  #condemned = false;

  constructor(
    readonly lane: Lane,
    private readonly host: LoadHost,
  ) {}

  get empty(): boolean {
    return this.#running.size === 0;
  }

  get backlog(): number {
    return this.#running.size;
  }

  get room(): number {
    return !this.#condemned && this.#running.size < this.lane.pipelineDepth ? this.host.batchSize : 0;
  }

  get startable(): number {
    return this.#condemned ? 0 : (this.lane.pipelineDepth - this.#running.size) * this.host.batchSize;
  }

  get running(): boolean {
    return false;
  }

  take(entries: readonly PendingRequest[]): void {
    const running: Running = { entries, timer: undefined };
    this.#running.add(running);
    for (const pending of entries) this.#watch(pending);
    this.#expectWord(running);
    this.lane.run(batchOf(entries.map((pending) => pending.request)), this.#sink(running));
  }

  carryOn(): void {}

  lost(loss: LaneLoss): void {
    this.abandon(WorkerDied({ outOfMemory: loss.outOfMemory }));
  }

  abandon(error: SconceError): void {
    const all = [...this.#running];
    this.#open.clear();
    this.#running.clear();
    for (const { entries, timer } of all) {
      clearTimeout(timer);
      for (const pending of entries) this.host.fail(pending, error);
    }
  }

  #watch(pending: PendingRequest): void {
    this.#open.add(pending);
    pending.onEnd(() => {
      if (this.#open.delete(pending)) this.lane.cancel([pending.request.id]);
    });
  }

  #sink(running: Running): BatchSink {
    const { entries } = running;
    return {
      part: (index, part) => {
        const pending = entries[index];
        if (pending === undefined) return;
        if (part.last) this.#open.delete(pending);
        else if (!pending.ended) this.#expectWord(running);
        this.host.part(pending, part);
      },
      fail: (index, error) => {
        const pending = entries[index];
        if (pending === undefined) return;
        this.#open.delete(pending);
        this.host.fail(pending, error);
      },
      done: () => {
        if (!this.#running.delete(running)) return;
        clearTimeout(running.timer);
        for (const pending of entries) {
          this.#open.delete(pending);
          if (!pending.ended) this.host.fail(pending, PredictionMissing({}));
          this.host.released(pending);
        }
        this.host.freed(this);
      },
    };
  }

  #expectWord(running: Running): void {
    this.#startClock(running, this.host.responseTimeoutMs, () => {
      for (const pending of running.entries) this.host.fail(pending, ResponseTimedOut({}));
      // Also where nobody was left to be answered: the last may have gone just now.
      this.#startClock(running, Math.min(LET_GO_WITHIN_MS, this.host.responseTimeoutMs), () => this.#condemn());
    });
  }

  #startClock(running: Running, ms: number, expired: () => void): void {
    clearTimeout(running.timer);
    running.timer = setTimeout(expired, ms);
  }

  #condemn(): void {
    this.#condemned = true;
    this.leaving = true;
    this.lane.timedOut();
  }
}
