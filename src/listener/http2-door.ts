import { constants, createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Connector, HttpHandler } from '../api/http-exchange.js';
import { BadRequest, MethodNotAllowed, RequestTooSlow } from '../errors/admission.js';
import type { HeaderPair } from '../inference/request.js';
import type { BodyRates } from './body-rates.js';
import type { CallerRules } from './caller-rules.js';
import { verifiedName } from './client-certificate.js';
import { peerOf } from './connection.js';
import type { HttpLimits } from './http-limits.js';
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

/**
 * Speaks HTTP/2 on connections that a listener has accepted and whose client asked for it, with the listener's own limits.
 *
 *  state     event → next        promise while here
 *  open      drain → draining    streams are taken
 *  draining  –                   sessions take no new stream and end with their last
 */
export class Http2Door {
  readonly #server: Http2Server;
  readonly #sessions = new Set<ServerHttp2Session>();

  constructor(private readonly options: Http2DoorOptions) {
    const { maxHeaderBytes, maxRequestLineBytes } = options.limits;
    this.#server = createServer({
      maxSessionMemory: 10,
      settings: { enablePush: false, maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeaderBytes + maxRequestLineBytes },
    });
    this.#server.on('session', (session) => this.#keep(session));
    this.#server.on('sessionError', () => undefined);
  }

  accept(socket: TLSSocket): void {
    this.#server.emit('connection', socket);
  }

  drain(): void {
    for (const session of this.#sessions) session.close();
  }

  /** A session without a stream is closed: soon when it never had one, as an idle connection when it had. */
  #keep(session: ServerHttp2Session): void {
    const { headersTimeoutMs, keepAliveTimeoutMs } = this.options.limits;
    this.#sessions.add(session);
    let streams = 0;
    const close = (): void => {
      session.close();
      session.destroy();
    };
    let idle = setTimeout(close, headersTimeoutMs);
    session.on('error', () => session.destroy());
    session.on('close', () => {
      clearTimeout(idle);
      this.#sessions.delete(session);
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
      this.#take(stream, headers, flags, Array.isArray(rawHeaders) ? rawHeaders.map(String) : []);
    });
  }

  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: readonly string[]): void {
    const { limits, cors, callers, connector, handler, bodyRates, answered } = this.options;
    const socket = socketOf(stream);
    if (socket === undefined) return;
    const method = headers[':method'] ?? '';
    const url = headers[':path'] ?? '';
    const rawHeaders = headerList(raw, headers[':authority']);
    const line = { method, target: url, protocol: 'HTTP/2.0' };
    const reply = new Http2Reply(stream, { limits, cors, answered: (_, status) => answered(socket, line, status, reply) });
    const head = { method, url, rawHeaders, httpVersionMinor: 1, socket: { localAddress: socket.localAddress } };
    const refusal = !headFits(head, limits) ? BadRequest({ message: BAD_MESSAGE }) : method === 'CONNECT' ? MethodNotAllowed({}) : refusalOfHead(head, callers);
    if (refusal !== undefined) return reply.fail(refusal);
    const length = firstHeader(rawHeaders, 'content-length');
    const announcedBytes = length === undefined ? undefined : Number(length);
    if (announcedBytes !== undefined && announcedBytes > limits.maxRequestBytes) return tooLarge(stream);
    if (cors.length > 0 && method === 'OPTIONS' && firstHeader(rawHeaders, 'access-control-request-method') !== undefined) return reply.send(200, '');
    const handle = (body: Uint8Array): void => handler(new IncomingRequest(head, reply, peerOf(socket), connector, body, verifiedName(socket)), reply);
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) return handle(EMPTY_BODY);
    if (firstHeader(rawHeaders, 'expect')?.toLowerCase() === '100-continue') stream.additionalHeaders({ ':status': 100 });
    const tooSlow = (): void => {
      if (!reply.begun) reply.fail(RequestTooSlow({}));
    };
    const patience = setTimeout(tooSlow, limits.requestTimeoutMs);
    stream.once('close', () => clearTimeout(patience));
    readBody(stream, announcedBytes, limits.maxRequestBytes, {
      whole: (body) => {
        clearTimeout(patience);
        // The body of a stream that is reset ends as well.
        if (!reply.begun && !stream.aborted && !stream.destroyed && !stream.closed) handle(body);
      },
      tooLarge: () => tooLarge(stream),
    });
    bodyRates.watch(stream, tooSlow);
  }
}

/** TorchServe's bare 413. */
function tooLarge(stream: ServerHttp2Stream): void {
  if (stream.headersSent || stream.destroyed || stream.closed) return;
  stream.respond({ ':status': 413, 'content-length': '0' }, { ...WITHOUT_DATE, endStream: true });
  stream.close(constants.NGHTTP2_NO_ERROR);
}

/** The headers as HTTP/1.1 would have them: the authority is the host. A host that says otherwise is a second one. */
function headerList(raw: readonly string[], authority: string | undefined): readonly string[] {
  const list = authority === undefined ? [] : ['host', authority];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = '', value = ''] = [raw[i], raw[i + 1]];
    if (!name.startsWith(':') && !(name === 'host' && value === authority)) list.push(name, value);
  }
  return list;
}

function socketOf({ session }: ServerHttp2Stream): TLSSocket | undefined {
  const socket: unknown = session?.socket;
  return socket as TLSSocket | undefined;
}
