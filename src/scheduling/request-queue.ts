import type { PendingRequest } from './pending-request.js';

/**
 * The bounded waiting line of one model version. Order: requests put back (a worker was lost or scaled down under them) first, then by arrival.
 * Only arrivals count against the bound, so a request that was accepted once is never refused on its way back. All operations are O(1) per request.
 */
export class RequestQueue {
  readonly #returned = new Set<PendingRequest>();
  readonly #arrived = new Set<PendingRequest>();

  constructor(readonly capacity: number) {}

  get length(): number {
    return this.#returned.size + this.#arrived.size;
  }

  get remainingCapacity(): number {
    return Math.max(0, this.capacity - this.length);
  }

  /** False when the line is full; the request was not taken. */
  push(pending: PendingRequest): boolean {
    if (this.length >= this.capacity) return false;
    this.#arrived.add(pending);
    return true;
  }

  /** Back to the front, keeping the given order among themselves but behind those put back earlier. */
  putBack(pending: PendingRequest): void {
    this.#returned.add(pending);
  }

  remove(pending: PendingRequest): void {
    this.#returned.delete(pending);
    this.#arrived.delete(pending);
  }

  first(): PendingRequest | undefined {
    for (const pending of this.#returned) return pending;
    for (const pending of this.#arrived) return pending;
    return undefined;
  }

  /** Oldest first. Requests may be removed while iterating. */
  *[Symbol.iterator](): Generator<PendingRequest> {
    yield* this.#returned;
    yield* this.#arrived;
  }
}
