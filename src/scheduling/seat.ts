import type { Lane } from './lane.js';
import type { PendingRequest } from './pending-request.js';
import type { Sequence } from './sequence.js';

/** A lane as sequences see it. Iterates over the requests that may go to it now, at most one of each sequence, in the order in which they became ready. */
export class Seat implements Iterable<PendingRequest> {
  readonly sequences = new Set<Sequence>();
  /** Those with a request that may go now. */
  readonly ready = new Set<Sequence>();
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
