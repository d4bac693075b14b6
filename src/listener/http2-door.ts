import { constants, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Connector, HttpHandler } from '../api/http-exchange.js';
import { BadRequest, RequestTooSlow } from '../errors/admission.js';
import type { HeaderPair } from '../inference/request.js';
import type { BodyMeter, BodyRates } from './body-rates.js';
import type { CallerRules } from './caller-rules.js';
import type { Connection } from './connection.js';
import type { HttpLimits } from './http-limits.js';
import { type ArrivingStream, Http2Connection, type Http2ConnectionHost } from './http2-connection.js';
import { http2Head, refusalOfForm } from './http2-head.js';
import { Http2Reply, WITHOUT_DATE } from './http2-reply.js';
import { firstHeader, IncomingRequest } from './incoming-request.js';
import { DISCARD_LIMIT_BYTES, discardBody, EMPTY_BODY, readBody } from './request-body.js';
import { BAD_MESSAGE, headFits, refusalOfHead, UNREADABLE } from './request-head.js';

export interface Http2DoorOptions {
  readonly connector: Connector;
  readonly handler: HttpHandler;
  readonly limits: HttpLimits;
  readonly cors: readonly HeaderPair[];
  readonly callers: CallerRules;
  readonly bodyRates: BodyRates;
  /** Who is at the other end. */
  readonly connectionOf: (socket: TLSSocket) => Pick<Connection, 'peer' | 'tlsPrincipal'>;
  /** A request has begun to arrive; each is followed by one `over`. */
  readonly begun: () => void;
  readonly over: () => void;
  readonly answered: (
    socket: TLSSocket,
    line: { readonly method: string; readonly target: string; readonly protocol: string },
    status: number,
    reply: Http2Reply,
  ) => void;
}

/**
 * Speaks HTTP/2 on connections that a listener has accepted and whose client asked for it, with the listener's own limits.
 *
 *  state     event → next        promise while here
 *  open      drain → draining    streams are taken
 *  draining  –                   connections take no new stream and end with their last
 */
export class Http2Door implements Http2ConnectionHost {
  readonly #connections = new Set<Http2Connection>();
  #draining = false;
  #onLastConnection: (() => void) | undefined;

  constructor(private readonly options: Http2DoorOptions) {}

  get limits(): HttpLimits {
    return this.options.limits;
  }

  accept(socket: TLSSocket): void {
    if (socket.destroyed) return;
    const connection = new Http2Connection(socket, this);
    this.#connections.add(connection);
    // Its handshake took until now.
    if (this.#draining) connection.drain();
  }

  /** Resolves when every connection has ended and its last bytes have left this process. */
  async drain(): Promise<void> {
    this.#draining = true;
    for (const connection of this.#connections) connection.drain();
    if (this.#connections.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onLastConnection = resolve;
    });
  }

  over(): void {
    this.options.over();
  }

  ended(connection: Http2Connection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onLastConnection?.();
  }

  take(socket: TLSSocket, { stream, headers, flags, raw }: ArrivingStream): void {
    this.options.begun();
    if (stream.closed || stream.destroyed) return;
    const { limits, cors, callers, answered } = this.options;
    const { method, url, rawHeaders } = http2Head(headers, raw);
    const head = { method, url, rawHeaders, httpVersionMinor: 1, socket: { localAddress: socket.localAddress } };
    const unreadable = headFits(head, limits) ? refusalOfForm(head) : BadRequest({ message: BAD_MESSAGE });
    const line = { ...(unreadable === undefined ? { method, target: url } : UNREADABLE), protocol: 'HTTP/2.0' };
    const reply = new Http2Reply(stream, { limits, cors, answered: (_, status) => answered(socket, line, status, reply) });
    const expectation = firstHeader(rawHeaders, 'expect')?.toLowerCase();
    const hasBody = (flags & constants.NGHTTP2_FLAG_END_STREAM) === 0;
    const isComing = hasBody && expectation === undefined && method !== 'CONNECT';
    const refusal = unreadable ?? refusalOfHead(head, callers);
    if (refusal !== undefined) {
      // A client that sends its body before it reads would lose the answer, whatever the body's length.
      if (isComing) discardBody(stream, limits.maxRequestBytes + DISCARD_LIMIT_BYTES, this.#meter(stream, reply), () => reply.fail(refusal));
      else reply.fail(refusal);
      return;
    }
    if (expectation !== undefined && expectation !== '100-continue') return reply.send(417, '');
    const length = firstHeader(rawHeaders, 'content-length');
    const announcedBytes = length === undefined ? undefined : Number(length);
    if (announcedBytes !== undefined && announcedBytes > limits.maxRequestBytes) {
      tooLarge(stream, isComing ? this.#meter(stream, reply) : undefined);
      return;
    }
    if (cors.length > 0 && method === 'OPTIONS' && firstHeader(rawHeaders, 'access-control-request-method') !== undefined) return reply.send(200, '');
    const handle = (body: Uint8Array): void => this.#handle(socket, head, reply, body);
    if (!hasBody) return handle(EMPTY_BODY);
    if (expectation !== undefined) stream.additionalHeaders({ ':status': 100 });
    readBody(stream, announcedBytes, limits.maxRequestBytes, this.#meter(stream, reply), {
      // The body of a stream that is reset ends as well.
      whole: (body) => !reply.begun && !stream.aborted && !stream.destroyed && !stream.closed && handle(body),
      tooLarge: () => tooLarge(stream, this.#meter(stream, reply)),
    });
  }

  /** Holds a body to the least rate, and to no longer than a request may take. */
  #meter(stream: ServerHttp2Stream, reply: Http2Reply): BodyMeter {
    const { limits, bodyRates } = this.options;
    const tooSlow = (): void => {
      // It may have been refused for its length before.
      if (stream.headersSent) stream.end();
      else reply.fail(RequestTooSlow({}));
    };
    const patience = setTimeout(tooSlow, limits.requestTimeoutMs);
    for (const over of ['end', 'close']) stream.once(over, () => clearTimeout(patience));
    return bodyRates.watch(stream, tooSlow);
  }

  #handle(socket: TLSSocket, head: ReturnType<typeof http2Head>, reply: Http2Reply, body: Uint8Array): void {
    const { connector, handler, connectionOf } = this.options;
    handler(new IncomingRequest(head, reply, connectionOf(socket), connector, body), reply);
  }
}

/** TorchServe's bare 413. The head goes out at once, the rest of a body that is coming (undefined: none is) is read for a while, so that a client that is still sending sees it. */
function tooLarge(stream: ServerHttp2Stream, coming: BodyMeter | undefined): void {
  if (stream.headersSent || stream.destroyed || stream.closed) return;
  stream.respond({ ':status': 413, 'content-length': '0' }, WITHOUT_DATE);
  if (coming === undefined) stream.end();
  else discardBody(stream, DISCARD_LIMIT_BYTES, coming, () => stream.end());
}
