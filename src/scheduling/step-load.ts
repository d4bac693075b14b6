import { PredictionMissing, ResponseTimedOut, WorkerDied } from '../errors/backend.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { BatchSink } from '../inference/batch.js';
import { RequestView } from '../inference/request-view.js';
import type { Lane, LaneLoss } from './lane.js';
import { batchOf, type LaneLoad, type LoadHost } from './lane-load.js';
import type { PendingRequest } from './pending-request.js';

const WITHOUT_INPUTS = { inputs: [] };

/**
 * Continuous batching: a set of active requests, all of which take part in every step; a step is one batch on the lane. Newcomers join between steps with
 * their inputs; the handler knows the others, so they come without. A request leaves the set with its last part, when its client goes and at its deadline.
 * A request that must be alone (describe, explain) has a step of its own, and the set waits for it. When a step fails or the lane is lost, all active fail.
 */
export class StepLoad implements LaneLoad {
  leaving = false;
  onEmpty: (() => void) | undefined;
  readonly #active = new Set<PendingRequest>();
  /** Those of the active whose inputs the worker has. */
  readonly #known = new WeakSet<PendingRequest>();
  #step: readonly PendingRequest[] | undefined;
  #timer: NodeJS.Timeout | undefined;
  #condemned = false;

  /** `size`: how many may be active at once. */
  constructor(
    readonly lane: Lane,
    private readonly host: LoadHost,
    private readonly size: number,
  ) {}

  get empty(): boolean {
    return this.#active.size === 0 && this.#step === undefined;
  }

  get backlog(): number {
    return this.#active.size;
  }

  get room(): number {
    return this.#step === undefined ? this.startable : 0;
  }

  get startable(): number {
    return this.#condemned ? 0 : this.size - this.#active.size;
  }

  get running(): boolean {
    return this.#active.size > 0;
  }

  take(entries: readonly PendingRequest[]): void {
    if (entries[0]?.alone !== true) for (const pending of entries) this.#join(pending);
    this.#run(entries[0]?.alone === true ? entries : [...this.#active]);
  }

  carryOn(): void {
    if (this.#step === undefined && this.#active.size > 0 && !this.#condemned) this.#run([...this.#active]);
  }

  lost(loss: LaneLoss): void {
    this.abandon(WorkerDied({ outOfMemory: loss.outOfMemory }));
  }

  abandon(error: SconceError): void {
    clearTimeout(this.#timer);
    this.#condemned = true;
    const all = new Set([...this.#active, ...(this.#step ?? [])]);
    this.#active.clear();
    this.#step = undefined;
    for (const pending of all) this.host.fail(pending, error);
  }

  #join(pending: PendingRequest): void {
    this.#active.add(pending);
    pending.onEnd(() => {
      if (this.#active.delete(pending)) this.lane.cancel([pending.request.id]);
    });
  }

  #run(entries: readonly PendingRequest[]): void {
    this.#step = entries;
    this.#startClock();
    const requests = entries.map((pending) => (this.#known.has(pending) ? new RequestView(pending.request, WITHOUT_INPUTS) : pending.request));
    this.lane.run(batchOf(requests), this.#sink(entries));
  }

  #sink(entries: readonly PendingRequest[]): BatchSink {
    const heard = new Set<PendingRequest>();
    return {
      part: (index, part) => {
        const pending = entries[index];
        if (pending === undefined) return;
        heard.add(pending);
        if (part.last) this.#active.delete(pending);
        else this.#startClock();
        this.host.part(pending, part);
      },
      fail: (index, error) => {
        const pending = entries[index];
        if (pending === undefined) return;
        this.#active.delete(pending);
        this.host.fail(pending, error);
      },
      done: () => {
        if (this.#step !== entries) return;
        this.#step = undefined;
        clearTimeout(this.#timer);
        for (const pending of entries) {
          const goesOn = heard.has(pending) && this.#active.has(pending);
          if (!goesOn && !pending.ended) {
            this.#active.delete(pending);
            this.host.fail(pending, PredictionMissing({}));
          }
          if (this.#known.has(pending)) continue;
          this.#known.add(pending);
          this.host.released(pending);
        }
        this.host.freed(this);
      },
    };
  }

  #startClock(): void {
    if (this.#step === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.leaving = true;
      this.abandon(ResponseTimedOut({}));
      this.lane.timedOut();
    }, this.host.responseTimeoutMs);
  }
}
