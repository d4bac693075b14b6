import type { SconceError } from '../errors/sconce-error.js';
import type { ResponsePart } from './part.js';
import type { InferenceRequest } from './request.js';

/** Requests that run together on one replica, in arrival order; 1 ≤ length ≤ the model's batch size. */
export interface Batch {
  /** Unique within the gateway's life. */
  readonly id: number;
  readonly requests: readonly InferenceRequest[];
}

/**
 * What a runner reports of one batch. Order: any parts and failures of entries (each entry ends once), then `done`.
 * After `done`, or after the runner's exit, nothing more is said of the batch. An entry without an end at `done` is the dispatcher's to answer.
 */
export interface BatchSink {
  /** `index` is the request's place in the batch. */
  part(index: number, part: ResponsePart): void;
  fail(index: number, error: SconceError): void;
  /** `handlerMs`: time in the handler or session, without transport. */
  done(handlerMs: number): void;
  /** Told where the batch has to wait for others before its worker may compute, and once it may: that time is none of the worker's. */
  held?(isHeld: boolean): void;
}
