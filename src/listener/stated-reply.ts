import type { HttpReply } from '../api/http-exchange.js';
import { prettyJson, renderError } from '../api/render-error.js';
import { Invariant } from '../errors/admission.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { HeaderPair } from '../inference/request.js';

export const NO_HEADERS: readonly HeaderPair[] = [];
const JSON_TYPE: HeaderPair = ['content-type', 'application/json'];

/**
 * What all answers to a request have in common, whatever carries them.
 *
 *  state    event → next                                promise while here
 *  waiting  json, send, fail → ended, open → open       nothing is written
 *  open     end → ended, abort → gone                   the head is written, chunks follow
 *  ended    –                                           a second answer is an Invariant error
 *  gone     –                                           everything is accepted and dropped
 *
 * `gone` is reached from anywhere when the client leaves before the answer is whole: `closed` is aborted then.
 */
export abstract class StatedReply implements HttpReply {
  readonly id = crypto.randomUUID();
  readonly receivedAtMs = performance.now();
  protected state: 'waiting' | 'open' | 'ended' | 'gone' = 'waiting';
  #controller: AbortController | undefined;

  get begun(): boolean {
    return this.state !== 'waiting';
  }

  /** Created on first use: most requests never ask. */
  get closed(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.state === 'gone') this.#controller.abort();
    }
    return this.#controller.signal;
  }

  json(status: number, value: unknown, headers: readonly HeaderPair[] = NO_HEADERS): void {
    this.send(status, prettyJson(value), [JSON_TYPE, ...headers]);
  }

  fail(error: SconceError): void {
    const { status, headers, body } = renderError(error);
    this.send(status, body, headers);
  }

  abstract send(status: number, body: Uint8Array | string, headers?: readonly HeaderPair[], reason?: string): void;
  abstract open(status: number, headers: readonly HeaderPair[], reason?: string): void;
  abstract chunk(bytes: Uint8Array): boolean;
  abstract end(): void;
  abstract abort(): void;

  protected leave(): void {
    this.state = 'gone';
    this.#controller?.abort();
  }

  /** Throws Invariant in any other state. */
  protected assertState(state: 'waiting' | 'open', what: string): void {
    if (this.state !== state) throw Invariant({ what: `${what} to request ${this.id}` });
  }
}
