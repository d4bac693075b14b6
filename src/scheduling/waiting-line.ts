import type { SconceError } from '../errors/sconce-error.js';
import type { ResponsePart } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Lane, Supply } from './lane.js';
import type { LaneLoad } from './lane-load.js';
import type { PendingRequest } from './pending-request.js';

/** `take`: these go to this load now. `wait`: a batch isn't full; look again at this `performance.now()` time, or when a request arrives. `empty`: nothing can go. */
export type HandOut =
  | { readonly kind: 'take'; readonly load: LaneLoad; readonly requests: readonly PendingRequest[] }
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'empty' };

export const NOTHING: HandOut = { kind: 'empty' };

/** Who waits, and who of them may go to which lane: requests that are all alike (ArrivalLine), or the requests of sequences (SequenceLine). */
export interface WaitingLine extends Iterable<PendingRequest> {
  /** Requests that wait. */
  readonly length: number;
  readonly remainingCapacity: number;
  /** The request as its handler shall see it. */
  prepared(request: InferenceRequest): InferenceRequest;
  /** False when there is no room; the request was not taken. */
  push(pending: PendingRequest): boolean;
  /** The one that has waited longest. */
  first(): PendingRequest | undefined;
  /** It waits no longer, whatever the reason. */
  remove(pending: PendingRequest): void;
  /** The next that can go. `loads` is in the order in which lanes take turns. Nothing is removed. */
  next(loads: Iterable<LaneLoad>, nowMs: number): HandOut;
  /** It goes to the lane that `next` named. */
  sent(pending: PendingRequest): void;
  /** Back to the front, from a lane that was lost or left; false when it can't be run any more. */
  putBack(pending: PendingRequest): boolean;
  /** True when it would wait for another request even if every lane were free. */
  isHeldUp(request: InferenceRequest): boolean;
  /** A worker said this of a request. */
  heard(part: ResponsePart): void;
  /** The worker is through with it, or knows it (continuous batching). */
  released(pending: PendingRequest): void;
  laneReady(lane: Lane): void;
  /** The lane takes no more than it has begun. */
  laneLeaving(lane: Lane): void;
  /** The lane is gone, and what it ran has been put back or has ended. Gives those that can't go on without it. */
  laneGone(lane: Lane): readonly PendingRequest[];
  /** Whether something waits that only this lane can run. */
  waitsFor(lane: Lane): boolean;
  supplyChanged(supply: Supply): void;
  /** Lets go of every timer. */
  close(): void;
}

/** What a line asks of its dispatcher, when something happens that nobody asked for. */
export interface LineHost {
  /** Takes it out of the line and answers it. */
  fail(pending: PendingRequest, error: SconceError): void;
  /** Somebody may be able to go now. */
  changed(): void;
}
