import type { Caller } from '../admission/caller.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { Principal } from '../inference/principal.js';
import type { HeaderPair } from '../inference/request.js';

/** Which of the three REST doors a request came through; `all` where inference and management share one address. */
export type Connector = 'inference' | 'management' | 'metrics' | 'all';

/** A whole HTTP request, its body read and within limits. */
export interface HttpRequest extends Caller {
  /** Fresh UUID: the answer's `x-request-id` and the request id of a prediction. */
  readonly id: string;
  /** NOBODY until the router has found out who asks; so it stays on routes that are open. */
  principal: Principal;
  /** The same for all requests that one connection carries; nothing else is to be read from it. */
  readonly connection?: object | undefined;
  /** The name in the client certificate that the listener has verified. */
  readonly tlsPrincipal?: string | undefined;
  readonly connector: Connector;
  readonly method: string;
  /** As on the request line, still encoded. */
  readonly target: string;
  /** Percent-decoded path segments without the leading empty one; trailing empty ones dropped. `/` gives []. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  /** Original spelling and order. */
  readonly headers: readonly HeaderPair[];
  /** First value of a header, any case; undefined when absent. */
  header(name: string): string | undefined;
  /** Media type without parameters, lower case; '' when absent. */
  readonly mediaType: string;
  readonly body: Uint8Array;
  /** Aborted when the client's connection closes before the answer is whole. */
  readonly closed: AbortSignal;
  /** `performance.now()` ms. */
  readonly receivedAtMs: number;
}

/** The one answer to an HttpRequest: `json`, `send`, `fail`, or `open` followed by chunks. The common headers (x-request-id, cache, CORS) are added by the implementation. */
export interface HttpReply {
  /** Pretty-printed by 2 spaces, nulls left out, newline at the end, `content-type: application/json`. */
  json(status: number, value: unknown, headers?: readonly HeaderPair[]): void;
  send(status: number, body: Uint8Array | string, headers?: readonly HeaderPair[], reason?: string): void;
  /** TorchServe's error JSON. */
  fail(error: SconceError): void;
  /** Head of a chunked answer. */
  open(status: number, headers: readonly HeaderPair[], reason?: string): void;
  /** False when the client is slow: more than the buffer limit is waiting. */
  chunk(bytes: Uint8Array): boolean;
  /** Ends a chunked answer. */
  end(): void;
  /** Cuts the connection without the terminating chunk: a stream that failed midway. */
  abort(): void;
  readonly begun: boolean;
}

export type HttpHandler = (request: HttpRequest, reply: HttpReply) => void;
