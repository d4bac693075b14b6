import type { InferenceRequest } from '../inference/request.js';
import { type BatchLimits, decideBatch } from './batcher.js';
import type { LaneLoad } from './lane-load.js';
import type { PendingRequest } from './pending-request.js';
import { RequestQueue } from './request-queue.js';
import { type HandOut, NOTHING, type WaitingLine } from './waiting-line.js';

/** Requests that know nothing of one another: any lane may run any of them, in the order of arrival. */
export class ArrivalLine implements WaitingLine {
  readonly #queue: RequestQueue;

  constructor(
    capacity: number,
    private readonly maxBatchDelayMs: number,
  ) {
    this.#queue = new RequestQueue(capacity);
  }

  get length(): number {
    return this.#queue.length;
  }

  get remainingCapacity(): number {
    return this.#queue.remainingCapacity;
  }

  prepared(request: InferenceRequest): InferenceRequest {
    return request;
  }

  push(pending: PendingRequest): boolean {
    return this.#queue.push(pending);
  }

  first(): PendingRequest | undefined {
    return this.#queue.first();
  }

  remove(pending: PendingRequest): void {
    this.#queue.remove(pending);
  }

  next(loads: Iterable<LaneLoad>, nowMs: number): HandOut {
    const load = freest(loads);
    if (load === undefined) return NOTHING;
    const limits: BatchLimits = { batchSize: load.room, maxBatchDelayMs: load.running ? 0 : this.maxBatchDelayMs };
    const decision = decideBatch(this.#queue, limits, nowMs);
    return decision.kind === 'take' ? { kind: 'take', load, requests: decision.requests } : decision;
  }

  sent(pending: PendingRequest): void {
    this.#queue.remove(pending);
  }

  putBack(pending: PendingRequest): boolean {
    this.#queue.putBack(pending);
    return true;
  }

  isHeldUp(): boolean {
    return false;
  }

  heard(): void {}

  released(): void {}

  laneReady(): void {}

  laneLeaving(): void {}

  laneGone(): readonly PendingRequest[] {
    return [];
  }

  waitsFor(): boolean {
    return false;
  }

  supplyChanged(): void {}

  close(): void {}

  [Symbol.iterator](): Iterator<PendingRequest> {
    return this.#queue[Symbol.iterator]();
  }
}

/** The first that would start at once, else the one with the fewest batches before a new one. */
function freest(loads: Iterable<LaneLoad>): LaneLoad | undefined {
  let found: LaneLoad | undefined;
  for (const load of loads) {
    if (load.leaving || load.room === 0) continue;
    if (load.backlog === 0) return load;
    if (found === undefined || load.backlog < found.backlog) found = load;
  }
  return found;
}
