import type { ServerResponse } from 'node:http';
import type { HeaderPair } from '../inference/request.js';
import { answerHeaders, reasonOf, safeText } from './answer-headers.js';
import { NO_HEADERS, StatedReply } from './stated-reply.js';

/** What a reply needs of the listener that it belongs to. */
export interface ReplyHost {
  readonly cors: readonly HeaderPair[];
  readonly maxUnreadAnswerBytes: number;
  readonly writeStallMs: number;
  /** True while the listener drains: answers then close their connection. */
  readonly draining: boolean;
  /** Called once per answer, when its head is written. */
  answered(reply: OutgoingReply, status: number): void;
  /** Called once per reply, when the answer has been handed over whole or the connection is gone. */
  closed(reply: OutgoingReply): void;
}

/** The answer to one request, written through Node's ServerResponse. */
export class OutgoingReply extends StatedReply {
  /** Set by the listener when the request's body has arrived. */
  requestIsWhole = false;
  readonly #response: ServerResponse;
  readonly #host: ReplyHost;
  #watching = false;
  #closed = false;

  constructor(response: ServerResponse, host: ReplyHost) {
    super();
    this.#response = response;
    this.#host = host;
    response.sendDate = false;
    response.on('close', () => this.connectionClosed());
  }

  get response(): ServerResponse {
    return this.#response;
  }

  send(status: number, body: Uint8Array | string, headers: readonly HeaderPair[] = NO_HEADERS, reason?: string): void {
    if (this.state === 'gone') return;
    this.assertState('waiting', 'a second answer');
    this.state = 'ended';
    const hasBody = status !== 204 && status !== 304;
    const sizeBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    this.#writeHead(status, headers, reason, hasBody ? 'content-length' : undefined, String(sizeBytes));
    this.#response.end(hasBody ? body : undefined);
    this.#watchForStall();
  }

  open(status: number, headers: readonly HeaderPair[], reason?: string): void {
    if (this.state === 'gone') return;
    this.assertState('waiting', 'a second answer');
    this.state = 'open';
    const isHttp10 = this.#response.req.httpVersionMinor === 0;
    this.#writeHead(status, headers, reason, isHttp10 ? undefined : 'transfer-encoding', 'chunked');
    // Corked until the next tick: the first chunk travels with the head.
    const { socket } = this.#response;
    socket?.cork();
    this.#response.flushHeaders();
    process.nextTick(() => socket?.uncork());
  }

  chunk(bytes: Uint8Array): boolean {
    if (this.state === 'gone') return true;
    this.assertState('open', 'a chunk outside an open answer');
    if (bytes.length === 0) return true;
    const flowed = this.#response.write(bytes);
    if (flowed) return true;
    this.#watchForStall();
    return this.#response.writableLength <= this.#host.maxUnreadAnswerBytes;
  }

  end(): void {
    if (this.state === 'gone') return;
    this.assertState('open', 'an end without a beginning');
    this.state = 'ended';
    this.#response.end();
    this.#watchForStall();
  }

  abort(): void {
    if (this.state === 'gone') return;
    this.leave();
    const { socket } = this.#response;
    if (socket === null || socket.writableLength === 0) {
      this.#response.destroy();
      return;
    }
    // Chunks of this turn are still on their way: the client gets what came before the failure.
    this.#watchForStall();
    socket.destroySoon();
  }

  /** The answer has been handed over, or its connection is gone. Node says so of the answer that has the socket; for pipelined ones behind it the listener does. */
  connectionClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    const whole = this.state === 'ended' && this.#response.writableFinished;
    if (!whole && this.state !== 'gone') this.leave();
    this.#host.closed(this);
  }

  #writeHead(status: number, headers: readonly HeaderPair[], reason: string | undefined, framing: string | undefined, framingValue: string): void {
    const response = this.#response;
    // A handler's code is data: what is no final status would break the connection's framing.
    const isFinal = Number.isInteger(status) && status >= 200 && status <= 999;
    const code = isFinal ? status : 500;
    const flat = answerHeaders(this.id, headers, this.#host.cors);
    if (framing !== undefined) flat.push(framing, framingValue);
    const isLast = code >= 400 || this.#host.draining || !response.shouldKeepAlive;
    flat.push('connection', isLast ? 'close' : 'keep-alive');
    response.writeHead(code, reason === undefined || !isFinal ? reasonOf(code) : safeText(reason), flat);
    this.#host.answered(this, code);
  }

  /** Cuts a client that stops reading: Node destroys a socket on which nothing has moved for the time. A finished answer lifts the limit. */
  #watchForStall(): void {
    const { socket } = this.#response;
    if (this.#watching || socket === null || socket.writableLength === 0) return;
    this.#watching = true;
    socket.setTimeout(this.#host.writeStallMs);
    this.#response.once('drain', () => {
      this.#watching = false;
      if (this.state === 'open') socket.setTimeout(0);
    });
  }
}
