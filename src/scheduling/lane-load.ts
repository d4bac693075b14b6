import type { SconceError } from '../errors/sconce-error.js';
import type { Batch } from '../inference/batch.js';
import type { ResponsePart } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Lane, LaneLoss } from './lane.js';
import type { PendingRequest } from './pending-request.js';

/**
 * What one lane holds, and by which rules: batches one after the other (TurnLoad), batches that overlap (OverlappingLoad), or the steps of one set of
 * requests (StepLoad). Whoever is given to `take` is answered once, or handed back to the host, whatever becomes of the lane.
 */
export interface LaneLoad {
  readonly lane: Lane;
  /** The lane is being scaled down or recycled: it gets nothing that another lane could take. */
  leaving: boolean;
  /** Called when it holds nothing any more, or is lost. */
  onEmpty: (() => void) | undefined;
  /** Holds nothing. */
  readonly empty: boolean;
  /** Batches that a new one would wait behind; 0: it would start at once. */
  readonly backlog: number;
  /** How many requests it takes now; 0: none. */
  readonly room: number;
  /** How many more requests could start without waiting for one that it holds. */
  readonly startable: number;
  /** It will run in any case: nobody has to wait for company. */
  readonly running: boolean;
  /** At most `room` requests, or one that is alone. */
  take(entries: readonly PendingRequest[]): void;
  /** Said after each `freed`, when what waited has been handed out. */
  carryOn(): void;
  /** The lane is gone. */
  lost(loss: LaneLoss): void;
  /** Fails all that it holds. */
  abandon(error: SconceError): void;
}

/** What a load asks of its dispatcher. */
export interface LoadHost {
  readonly batchSize: number;
  /** Longest time without a word from the worker on what it runs. */
  readonly responseTimeoutMs: number;
  /** Passes a part on to the client. */
  part(pending: PendingRequest, part: ResponsePart): void;
  fail(pending: PendingRequest, error: SconceError): void;
  /** The request ran on a lane that is lost: it is tried once more, or fails. */
  lostUnder(pending: PendingRequest, loss: LaneLoss): void;
  /** The request never ran on the lane that is lost: it goes back to the front. */
  putBack(pending: PendingRequest): void;
  /** The next request of the same sequence may go. */
  released(pending: PendingRequest): void;
  /** The load has room. */
  freed(load: LaneLoad): void;
}

let lastBatchId = 0;

export function batchOf(requests: readonly InferenceRequest[]): Batch {
  lastBatchId += 1;
  return { id: lastBatchId, requests };
}
