import type { SconceError } from '../errors/sconce-error.js';
import type { HeaderPair } from './request.js';

/** Where a request's time went, in milliseconds. `totalMs` is added by the api when it writes the answer. */
export interface Timings {
  /** Waiting for a replica. */
  readonly queueMs: number;
  /** Waiting for company, out of `queueMs`' hands: 0 when the batch left at once. */
  readonly batchWaitMs: number;
  /** Handler or session time of the whole batch. */
  readonly handlerMs: number;
}

/** One piece of an answer. A unary answer is a stream of one part whose `last` is true. Status, reason and headers count on the first part only. */
export interface ResponsePart {
  readonly status: number;
  /** The reason phrase; normally ''. */
  readonly reason: string;
  readonly headers: readonly HeaderPair[];
  readonly body: Uint8Array;
  readonly last: boolean;
  readonly timings?: Timings;
}

/**
 * Where the answer to one request goes. Exactly one end: a part with `last: true`, or one `fail`. Nothing after it.
 * Neither method throws; a client that has gone is the implementation's affair.
 */
export interface Answer {
  part(part: ResponsePart): void;
  fail(error: SconceError): void;
}
