import { QueueFull } from '../errors/scheduling.js';
import type { WeightOf } from '../inference/fair-share.js';
import type { InferenceRequest } from '../inference/request.js';
import { type BatchLimits, decideBatch } from './batcher.js';
import { FairQueue } from './fair-queue.js';
import type { LaneLoad } from './lane-load.js';
import type { PendingRequest } from './pending-request.js';
import { type HandOut, type LineHost, NOTHING, type WaitingLine } from './waiting-line.js';

export interface ArrivalLimits {
  readonly queueSize: number;
  readonly maxBatchDelayMs: number;
  readonly weightOf: WeightOf;
  readonly onePrincipal: boolean;
}

/** Requests that know nothing of one another: any lane may run any of them, in the order of arrival; those of several tenants in fair turns. */
export class ArrivalLine implements WaitingLine {
  readonly #queue: FairQueue;

  constructor(
    private readonly model: string,
    private readonly limits: ArrivalLimits,
    private readonly host: LineHost,
  ) {
    this.#queue = new FairQueue(limits.queueSize, limits.weightOf);
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
    const outcome = this.#queue.push(pending);
    if (outcome === 'taken' || outcome === 'full') return outcome === 'taken';
    this.host.fail(outcome, QueueFull({ model: this.model, version: outcome.request.version }));
    return true;
  }

  first(): PendingRequest | undefined {
    return this.#queue.oldest();
  }

  remove(pending: PendingRequest): void {
    this.#queue.remove(pending);
  }

  next(loads: Iterable<LaneLoad>, nowMs: number): HandOut {
    const load = freest(loads);
    if (load === undefined) return NOTHING;
    const { maxBatchDelayMs, onePrincipal } = this.limits;
    const limits: BatchLimits = { batchSize: load.room, maxBatchDelayMs: load.running ? 0 : maxBatchDelayMs, onePrincipal };
    const decision = decideBatch(this.#queue, limits, nowMs);
    return decision.kind === 'take' ? { kind: 'take', load, requests: decision.requests } : decision;
  }

  sent(pending: PendingRequest): void {
    this.#queue.sent(pending);
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
