import type { Principal } from './principal.js';

/** A header as the client spelt it: name, value. Order is arrival order; the last of two equal names wins. */
export type HeaderPair = readonly [name: string, value: string];

/** One named input of a request. `contentType` is the bare media type, lower case, or '' when the client gave none. */
export interface InputParameter {
  readonly name: string;
  readonly contentType: string;
  readonly value: Uint8Array;
}

export type InferencePurpose = 'predict' | 'explain' | 'describe';

/**
 * One inference wish, free of the protocol that brought it. This type crosses every border from `api` to `backends`.
 * Times are `performance.now()` milliseconds of the gateway.
 */
export interface InferenceRequest {
  /** A UUID: the `x-request-id` of the answer and the request id that a handler sees. */
  readonly id: string;
  /** Who asks. */
  readonly principal: Principal;
  readonly model: string;
  /** undefined means the model's default version. */
  readonly version: string | undefined;
  readonly purpose: InferencePurpose;
  /** What the handler finds as request headers, `url_path` and `explain` among them where the protocol adds them. */
  readonly headers: readonly HeaderPair[];
  readonly inputs: readonly InputParameter[];
  readonly receivedAtMs: number;
  /** When the client stops waiting, if it said so. */
  readonly deadlineAtMs: number | undefined;
  /** Aborted when the client has gone: a queued request is dropped, a running one's answer is discarded. */
  readonly cancelled: AbortSignal;
}
