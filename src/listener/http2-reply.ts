import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2';
import type { HttpReply } from '../api/http-exchange.js';
import { prettyJson, renderError } from '../api/render-error.js';
import { Invariant } from '../errors/admission.js';
import { AnswerHeadersTooLarge } from '../errors/backend.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { HeaderPair } from '../inference/request.js';
import { answerHeaders } from './answer-headers.js';
import type { HttpLimits } from './http-limits.js';

/** What a reply needs of the door that it belongs to. */
export interface Http2ReplyHost {
  readonly limits: Pick<HttpLimits, 'maxUnreadAnswerBytes' | 'writeStallMs'>;
  readonly cors: readonly HeaderPair[];
  /** Called once per answer, when its head is written. */
  answered(reply: Http2Reply, status: number): void;
}

/** Node's types don't know it. */
export const WITHOUT_DATE: ServerStreamResponseOptions & { readonly sendDate: false } = { sendDate: false };
const NO_HEADERS: readonly HeaderPair[] = [];
/** HTTP/2 has no use for them, and Node none of their senders. */
const UNKNOWN_TO_HTTP2 = new Set(['http2-settings', 'te', 'host']);
/** Those without a body. Node knows 205 as one of them. */
const BODILESS = new Set([204, 205, 304]);
/** What a handler's headers may take, each with 32 bytes more (RFC 9113, 6.5.2). The clients there are take no more than 64 KiB in all. */
const MAX_OWN_HEADER_BYTES = 60_000;

/**
 * The answer to one request on a stream of HTTP/2. What `OutgoingReply` says of its states holds here too; there is no reason phrase, and an error doesn't close
 * the connection.
 */
export class Http2Reply implements HttpReply {
  readonly id = crypto.randomUUID();
  readonly receivedAtMs = performance.now();
  #state: 'waiting' | 'open' | 'ended' | 'gone' = 'waiting';
  #controller: AbortController | undefined;

  constructor(
    private readonly stream: ServerHttp2Stream,
    private readonly host: Http2ReplyHost,
  ) {
    stream.on('close', () => {
      if (this.#state === 'ended' && stream.writableFinished && stream.rstCode === constants.NGHTTP2_NO_ERROR) return;
      this.#leave();
    });
    stream.on('timeout', () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
    // A client that goes on sending after its answer is told that nobody listens.
    stream.on('finish', () => !stream.readableEnded && stream.close(constants.NGHTTP2_NO_ERROR));
    stream.on('drain', () => this.#state === 'open' && stream.setTimeout(0));
  }

  get begun(): boolean {
    return this.#state !== 'waiting';
  }

  get closed(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#state === 'gone') this.#controller.abort();
    }
    return this.#controller.signal;
  }

  json(status: number, value: unknown, headers: readonly HeaderPair[] = NO_HEADERS): void {
    this.send(status, prettyJson(value), [['content-type', 'application/json'], ...headers]);
  }

  fail(error: SconceError): void {
    const { status, headers, body } = renderError(error);
    this.send(status, body, headers);
  }

  send(status: number, body: Uint8Array | string, headers: readonly HeaderPair[] = NO_HEADERS): void {
    if (this.#isGone) return;
    this.#assert('waiting', 'a second answer');
    const tooLarge = headersTooLarge(headers);
    if (tooLarge !== undefined) return this.fail(tooLarge);
    this.#state = 'ended';
    const hasBody = !BODILESS.has(status);
    this.#head(status, headers, hasBody ? Buffer.byteLength(body) : undefined);
    this.#watchForStall();
    if (hasBody) this.stream.end(body);
    else this.stream.end();
  }

  open(status: number, headers: readonly HeaderPair[]): void {
    if (this.#isGone) return;
    this.#assert('waiting', 'a second answer');
    const tooLarge = headersTooLarge(headers);
    if (tooLarge !== undefined) {
      this.fail(tooLarge);
      this.#leave();
      return;
    }
    this.#state = 'open';
    this.#head(status, headers, undefined);
  }

  chunk(bytes: Uint8Array): boolean {
    if (this.#isGone) return true;
    this.#assert('open', 'a chunk outside an open answer');
    if (bytes.length === 0 || this.stream.write(bytes)) return true;
    this.#watchForStall();
    return this.stream.writableLength <= this.host.limits.maxUnreadAnswerBytes;
  }

  end(): void {
    if (this.#isGone) return;
    this.#assert('open', 'an end without a beginning');
    this.#state = 'ended';
    this.#watchForStall();
    this.stream.end();
  }

  abort(): void {
    if (this.#isGone) return;
    this.#leave();
    // Destroyed with an error: closing with a code alone may still send a clean end ahead of it. Chunks that wait go first.
    const cut = (): void => void this.stream.destroy(new Error('cut off'));
    this.#watchForStall();
    if (this.stream.writableLength === 0) cut();
    else this.stream.write(Buffer.alloc(0), cut);
  }

  /** A stream that is reset takes nothing more, and says that it is closed only later. */
  get #isGone(): boolean {
    return this.#state === 'gone' || this.stream.destroyed || this.stream.closed;
  }

  #leave(): void {
    this.#state = 'gone';
    this.#controller?.abort();
  }

  #assert(state: 'waiting' | 'open', what: string): void {
    if (this.#state !== state) throw Invariant({ what: `${what} to request ${this.id}` });
  }

  #head(status: number, headers: readonly HeaderPair[], sizeBytes: number | undefined): void {
    // A handler's code is data: what is no final status would break the stream.
    const code = Number.isInteger(status) && status >= 200 && status <= 599 ? status : 500;
    const flat = answerHeaders(this.id, headers, this.host.cors);
    const byName: OutgoingHttpHeaders = { ':status': code };
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const name = flat[i]?.toLowerCase() ?? '';
      if (!UNKNOWN_TO_HTTP2.has(name)) byName[name] = flat[i + 1];
    }
    if (sizeBytes !== undefined) byName['content-length'] = String(sizeBytes);
    this.stream.respond(byName, WITHOUT_DATE);
    this.host.answered(this, code);
  }

  /** Node ends the wait only when nothing has moved for the time. */
  #watchForStall(): void {
    this.stream.setTimeout(this.host.limits.writeStallMs);
  }
}

function headersTooLarge(headers: readonly HeaderPair[]): SconceError | undefined {
  let sizeBytes = 0;
  for (const [name, value] of headers) sizeBytes += name.length + value.length + 32;
  return sizeBytes > MAX_OWN_HEADER_BYTES ? AnswerHeadersTooLarge({ sizeBytes, limitBytes: MAX_OWN_HEADER_BYTES }) : undefined;
}
