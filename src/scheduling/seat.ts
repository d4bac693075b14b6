import type { Lane } from './lane.js';
import type { PendingRequest } from './pending-request.js';

interface Seated {
  /** The request that may go to its lane now. */
  readonly next: PendingRequest | undefined;
}

/** A lane as sequences see it. Iterates over the requests that may go to it now, at most one of each sequence, in the order in which they became ready. */
export class Seat<S extends Seated> implements Iterable<PendingRequest> {
  readonly sequences = new Set<S>();
  /** Those with a request that may go now. */
  readonly ready = new Set<S>();
  /** Takes no new sequences. */
  leaving = false;

  constructor(readonly lane: Lane) {}

  first(): PendingRequest | undefined {
    for (const pending of this) return pending;
    return undefined;
  }

  *[Symbol.iterator](): Generator<PendingRequest> {
    for (const { next } of this.ready) if (next !== undefined) yield next;
  }
}
