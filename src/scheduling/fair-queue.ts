import { FairRound } from '../inference/fair-round.js';
import type { WeightOf } from '../inference/fair-share.js';
import type { PendingRequest } from './pending-request.js';

/**
 * The bounded waiting line of one model version, shared by the tenants of those who ask. Order: requests put back (a worker was lost or scaled down under them)
 * first, then in fair turns. Invariants: a full line refuses a request only where its tenant would hold as much for its weight as every other does, and else the
 * newest of the one furthest above its part has to leave; a request put back is never refused, nor does it leave for another. O(1) per request while there is room.
 */
export class FairQueue {
  readonly #returned = new Set<PendingRequest>();
  readonly #arrived: FairRound<PendingRequest>;

  constructor(
    readonly capacity: number,
    weightOf: WeightOf,
  ) {
    this.#arrived = new FairRound(weightOf);
  }

  get length(): number {
    return this.#returned.size + this.#arrived.size;
  }

  get remainingCapacity(): number {
    return Math.max(0, this.capacity - this.length);
  }

  /** `full`: the request was not taken. Else it was; the request given back had to leave for it, and is the caller's to answer. */
  push(pending: PendingRequest): 'taken' | 'full' | PendingRequest {
    const tenant = tenantOf(pending);
    if (this.length < this.capacity) {
      this.#arrived.add(tenant, pending);
      return 'taken';
    }
    const displaced = this.#arrived.roomFor(tenant);
    if (displaced === undefined) return 'full';
    this.#arrived.delete(displaced.tenant, displaced.item);
    this.#arrived.add(tenant, pending);
    return displaced.item;
  }

  /** Back to the front, keeping the given order among themselves but behind those put back earlier. */
  putBack(pending: PendingRequest): void {
    this.#returned.add(pending);
  }

  /** It goes to a lane. One that was put back has been counted before. */
  sent(pending: PendingRequest): void {
    if (!this.#returned.delete(pending)) this.#arrived.serve(tenantOf(pending), pending);
  }

  remove(pending: PendingRequest): void {
    if (!this.#returned.delete(pending)) this.#arrived.delete(tenantOf(pending), pending);
  }

  /** The one that goes next. */
  first(): PendingRequest | undefined {
    for (const pending of this.#returned) return pending;
    return this.#arrived.first();
  }

  /** The one that has waited longest. */
  oldest(): PendingRequest | undefined {
    for (const pending of this.#returned) return pending;
    let oldest: PendingRequest | undefined;
    for (const pending of this.#arrived.firsts()) if (oldest === undefined || pending.enqueuedAtMs < oldest.enqueuedAtMs) oldest = pending;
    return oldest;
  }

  /** In the order in which they go. Requests may be removed while iterating. */
  *[Symbol.iterator](): Generator<PendingRequest> {
    yield* this.#returned;
    yield* this.#arrived;
  }
}

function tenantOf({ request }: PendingRequest): string {
  return request.principal.tenant;
}
