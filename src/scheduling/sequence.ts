import type { PendingRequest } from './pending-request.js';
import type { Seat } from './seat.js';

/**
 * The requests of one sequence, in their order.
 *
 *  state    event → next                                                               promise while here
 *  unseated a lane has a free seat → seated                                            no worker knows of it
 *  seated   nothing waits or runs for the idle time, its life is over, its last         all its requests go to this lane, one at a time
 *           request is answered, the handler ends it, its lane is gone → closed
 *  closed   –                                                                          nothing waits; its id is free for a new sequence
 */
export class Sequence {
  seat: Seat<Sequence> | undefined;
  closed = false;
  readonly waiting: PendingRequest[] = [];
  /** The request that its lane is at: the next one waits for it. */
  busy: PendingRequest | undefined;
  /** Requests accepted and not ended, streams among them. */
  open = 0;
  /** Requests that its lane has been given: from the first on, the worker holds state that dies with it. */
  sent = 0;
  idleTimer: NodeJS.Timeout | undefined;
  lifeTimer: NodeJS.Timeout | undefined;

  constructor(
    readonly id: string,
    /** Of whoever opened it; nobody else reaches it. */
    readonly tenant: string,
  ) {}

  /** Its lane has nothing of it to do, and nothing waits. */
  get idle(): boolean {
    return this.open === 0 && this.busy === undefined;
  }

  /** The request that may go to its lane now. */
  get next(): PendingRequest | undefined {
    return this.busy === undefined ? this.waiting[0] : undefined;
  }
}
