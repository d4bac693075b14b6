import type { Lane } from './lane.js';
import type { PendingRequest } from './pending-request.js';

/** The requests of one batch whose answers come in pieces. The lane is told once, of each, when nobody reads its pieces any more. */
export class StreamDepartures {
  /** False for those of which there is nothing more to tell. */
  readonly #isOpen = new Map<PendingRequest, boolean>();

  constructor(private readonly lane: Lane) {}

  /** A piece has come after which there will be others. */
  piece(pending: PendingRequest): void {
    if (this.#isOpen.has(pending)) return;
    this.#isOpen.set(pending, true);
    const { id, cancelled } = pending.request;
    const gone = () => {
      cancelled.removeEventListener('abort', gone);
      if (this.#isOpen.get(pending) !== true) return;
      this.#isOpen.set(pending, false);
      this.lane.cancel([id]);
    };
    if (pending.ended || cancelled.aborted) return gone();
    cancelled.addEventListener('abort', gone);
    pending.onEnd(gone);
  }

  /** The worker has said its last word on it. */
  over(pending: PendingRequest): void {
    if (this.#isOpen.has(pending)) this.#isOpen.set(pending, false);
  }
}
