import { constants, type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Connector, HttpHandler } from '../api/http-exchange.js';
import { BadRequest, RequestTooSlow } from '../errors/admission.js';
import type { HeaderPair } from '../inference/request.js';
import type { BodyRates } from './body-rates.js';
import type { CallerRules } from './caller-rules.js';
import { verifiedName } from './client-certificate.js';
import { peerOf } from './connection.js';
import type { HttpLimits } from './http-limits.js';
import { http2Head, refusalOfForm } from './http2-head.js';
import { Http2Reply, WITHOUT_DATE } from './http2-reply.js';
import { firstHeader, IncomingRequest } from './incoming-request.js';
import { EMPTY_BODY, readBody } from './request-body.js';
import { BAD_MESSAGE, headFits, refusalOfHead } from './request-head.js';

export interface Http2DoorOptions {
  readonly connector: Connector;
  readonly handler: HttpHandler;
  readonly limits: HttpLimits;
  readonly cors: readonly HeaderPair[];
  readonly callers: CallerRules;
  readonly bodyRates: BodyRates;
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

/** Streams of one connection, open at one time. */
const MAX_STREAMS = 100;
/** Frames of one connection that break the protocol, each of which would have its stream reset by the server. */
const MAX_INVALID_FRAMES = 100;

/**
 * Speaks HTTP/2 on connections that a listener has accepted and whose client asked for it, with the listener's own limits.
 *
 *  state     event → next        promise while here
 *  open      drain → draining    streams are taken
 *  draining  –                   sessions take no new stream and end with their last
 */
export class Http2Door {
  readonly #sessions = new Map<ServerHttp2Session, TLSSocket>();
  #onLastSession: (() => void) | undefined;

  constructor(private readonly options: Http2DoorOptions) {}

  /** Takes over a connection. A session without a stream is closed: soon when it never had one, as an idle connection when it had. */
  accept(socket: TLSSocket): void {
    if (socket.destroyed) return;
    const { headersTimeoutMs, keepAliveTimeoutMs, maxHeaderBytes, maxRequestLineBytes } = this.options.limits;
    const session = performServerHandshake(socket, {
      // Counts answers that wait for their client, which `maxUnreadAnswerBytes` and the number of streams bound; what else it counts has bounds of its own.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
      maxSessionInvalidFrames: MAX_INVALID_FRAMES,
      settings: { enablePush: false, maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeaderBytes + maxRequestLineBytes },
    });
    this.#sessions.set(session, socket);
    let streams = 0;
    const close = (): void => {
      session.close();
      session.destroy();
    };
    let idle = setTimeout(close, headersTimeoutMs);
    session.on('error', () => session.destroy());
    session.on('close', () => {
      clearTimeout(idle);
      this.#whenWritten(socket, () => this.#forget(session));
    });
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, rawHeaders: unknown) => {
      clearTimeout(idle);
      streams += 1;
      this.options.begun();
      stream.on('close', () => {
        streams -= 1;
        this.options.over();
        if (streams === 0 && !session.closed) idle = setTimeout(close, keepAliveTimeoutMs);
      });
      stream.on('error', () => undefined);
      this.#take(socket, stream, headers, flags, Array.isArray(rawHeaders) ? rawHeaders.map(String) : []);
    });
  }

  /** Resolves when every session has ended and its last bytes have left this process. */
  async drain(): Promise<void> {
    for (const session of this.#sessions.keys()) session.close();
    if (this.#sessions.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#onLastSession = resolve;
    });
  }

  /** A stream is over before its bytes are: they wait in its connection, and go when that ends. */
  #whenWritten(socket: TLSSocket, then: () => void): void {
    if (socket.destroyed || socket.writableFinished) return then();
    socket.once('finish', () => socket.destroy());
    socket.once('close', then);
  }

  #forget(session: ServerHttp2Session): void {
    this.#sessions.delete(session);
    if (this.#sessions.size === 0) this.#onLastSession?.();
  }

  #take(socket: TLSSocket, stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: readonly string[]): void {
    // One that its client has reset already is worked on for nobody.
    if (stream.closed || stream.destroyed) return;
    const { limits, cors, callers, answered } = this.options;
    const { method, url, rawHeaders } = http2Head(headers, raw);
    const line = { method, target: url, protocol: 'HTTP/2.0' };
    const reply = new Http2Reply(stream, { limits, cors, answered: (_, status) => answered(socket, line, status, reply) });
    const head = { method, url, rawHeaders, httpVersionMinor: 1, socket: { localAddress: socket.localAddress } };
    const refusal = headFits(head, limits) ? (refusalOfForm(head) ?? refusalOfHead(head, callers)) : BadRequest({ message: BAD_MESSAGE });
    if (refusal !== undefined) return reply.fail(refusal);
    const expectation = firstHeader(rawHeaders, 'expect')?.toLowerCase();
    if (expectation !== undefined && expectation !== '100-continue') return reply.send(417, '');
    const length = firstHeader(rawHeaders, 'content-length');
    const announcedBytes = length === undefined ? undefined : Number(length);
    if (announcedBytes !== undefined && announcedBytes > limits.maxRequestBytes) return tooLarge(stream);
    if (cors.length > 0 && method === 'OPTIONS' && firstHeader(rawHeaders, 'access-control-request-method') !== undefined) return reply.send(200, '');
    const handle = (body: Uint8Array): void => this.#handle(socket, head, reply, body);
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) return handle(EMPTY_BODY);
    if (expectation !== undefined) stream.additionalHeaders({ ':status': 100 });
    this.#read(stream, announcedBytes, reply, handle);
  }

  #read(stream: ServerHttp2Stream, announcedBytes: number | undefined, reply: Http2Reply, whole: (body: Uint8Array) => void): void {
    const { limits, bodyRates } = this.options;
    const tooSlow = (): void => {
      if (!reply.begun) reply.fail(RequestTooSlow({}));
    };
    const patience = setTimeout(tooSlow, limits.requestTimeoutMs);
    stream.once('close', () => clearTimeout(patience));
    readBody(stream, announcedBytes, limits.maxRequestBytes, {
      whole: (body) => {
        clearTimeout(patience);
        // The body of a stream that is reset ends as well.
        if (!reply.begun && !stream.aborted && !stream.destroyed && !stream.closed) whole(body);
      },
      tooLarge: () => tooLarge(stream),
    });
    bodyRates.watch(stream, tooSlow);
  }

  #handle(socket: TLSSocket, head: ReturnType<typeof http2Head>, reply: Http2Reply, body: Uint8Array): void {
    const { connector, handler } = this.options;
    handler(new IncomingRequest(head, reply, peerOf(socket), connector, body, verifiedName(socket)), reply);
  }
}

/** TorchServe's bare 413. */
function tooLarge(stream: ServerHttp2Stream): void {
  if (stream.headersSent || stream.destroyed || stream.closed) return;
  stream.respond({ ':status': 413, 'content-length': '0' }, { ...WITHOUT_DATE, endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}
