import { constants, type OutgoingHttpHeaders, type ServerHttp2Stream, type ServerStreamResponseOptions } from 'node:http2';
import { AnswerHeadersTooLarge } from '../errors/backend.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { HeaderPair } from '../inference/request.js';
import { answerHeaders } from './answer-headers.js';
import type { HttpLimits } from './http-limits.js';
import { NO_HEADERS, StatedReply } from './stated-reply.js';

/** What a reply needs of the door that it belongs to. */
export interface Http2ReplyHost {
  readonly limits: Pick<HttpLimits, 'maxUnreadAnswerBytes' | 'writeStallMs'>;
  readonly cors: readonly HeaderPair[];
  /** Called once per answer, when its head is written. */
  answered(reply: Http2Reply, status: number): void;
}

/** Node's types don't know it. */
export const WITHOUT_DATE: ServerStreamResponseOptions & { readonly sendDate: false } = { sendDate: false };
/** HTTP/2 has no use for them, and Node none of their senders. */
const UNKNOWN_TO_HTTP2 = new Set(['http2-settings', 'te', 'host']);
/** Those without a body. Node knows 205 as one of them. */
const BODILESS = new Set([204, 205, 304]);
/** What a handler's headers may take, each with 32 bytes more (RFC 9113, 6.5.2). The clients there are take no more than 64 KiB in all. */
const MAX_OWN_HEADER_BYTES = 60_000;

/** The answer to one request on a stream of HTTP/2. There is no reason phrase, and an error doesn't close the connection. */
export class Http2Reply extends StatedReply {
  constructor(
    private readonly stream: ServerHttp2Stream,
    private readonly host: Http2ReplyHost,
  ) {
    super();
    stream.on('close', () => {
      if (this.state === 'ended' && stream.writableFinished && stream.rstCode === constants.NGHTTP2_NO_ERROR) return;
      this.leave();
    });
    stream.on('timeout', () => stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM));
    // A client that goes on sending after its answer is told that nobody listens.
    stream.on('finish', () => !stream.readableEnded && stream.close(constants.NGHTTP2_NO_ERROR));
    stream.on('drain', () => this.state === 'open' && stream.setTimeout(0));
  }

  send(status: number, body: Uint8Array | string, headers: readonly HeaderPair[] = NO_HEADERS): void {
    if (this.#isGone) return;
    this.assertState('waiting', 'a second answer');
    const tooLarge = headersTooLarge(headers);
    if (tooLarge !== undefined) return this.fail(tooLarge);
    this.state = 'ended';
    const hasBody = !BODILESS.has(status);
    this.#head(status, headers, hasBody ? Buffer.byteLength(body) : undefined);
    this.#watchForStall();
    if (hasBody) this.stream.end(body);
    else this.stream.end();
  }

  open(status: number, headers: readonly HeaderPair[]): void {
    if (this.#isGone) return;
    this.assertState('waiting', 'a second answer');
    const tooLarge = headersTooLarge(headers);
    if (tooLarge !== undefined) {
      this.fail(tooLarge);
      this.leave();
      return;
    }
    this.state = 'open';
    this.#head(status, headers, undefined);
  }

  chunk(bytes: Uint8Array): boolean {
    if (this.#isGone) return true;
    this.assertState('open', 'a chunk outside an open answer');
    if (bytes.length === 0 || this.stream.write(bytes)) return true;
    this.#watchForStall();
    return this.stream.writableLength <= this.host.limits.maxUnreadAnswerBytes;
  }

  end(): void {
    if (this.#isGone) return;
    this.assertState('open', 'an end without a beginning');
    this.state = 'ended';
    this.#watchForStall();
    this.stream.end();
  }

  abort(): void {
    if (this.#isGone) return;
    this.leave();
    // Destroyed with an error: closing with a code alone may still send a clean end ahead of it. Chunks that wait go first.
    const cut = (): void => void this.stream.destroy(new Error('cut off'));
    this.#watchForStall();
    if (this.stream.writableLength === 0) cut();
    else this.stream.write(Buffer.alloc(0), cut);
  }

  /** A stream that is reset takes nothing more, and says that it is closed only later. */
  get #isGone(): boolean {
    return this.state === 'gone' || this.stream.destroyed || this.stream.closed;
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
