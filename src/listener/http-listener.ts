import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import type { Connector, HttpHandler } from '../api/http-exchange.js';
import { BadRequest, MethodNotAllowed, RequestTooSlow } from '../errors/admission.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { HeaderPair } from '../inference/request.js';
import type { Part } from '../lifecycle.js';
import type { Log, Observer } from '../observability/observer.js';
import { addressText, type BindAddress, clearStaleSocket, listenOptions } from './bind-address.js';
import { type BodyMeter, BodyRates } from './body-rates.js';
import type { CallerRules } from './caller-rules.js';
import { Connection } from './connection.js';
import type { HttpLimits } from './http-limits.js';
import { Http2Door } from './http2-door.js';
import { firstHeader, IncomingRequest } from './incoming-request.js';
import { NetServer } from './net-server.js';
import { OutgoingReply, type ReplyHost } from './outgoing-reply.js';
import { refuseConnection, refusePlainHttp } from './refusal.js';
import { DISCARD_LIMIT_BYTES, discardBody, EMPTY_BODY, readBody } from './request-body.js';
import { BAD_MESSAGE, headFits, refusalOfHead, UNREADABLE } from './request-head.js';
import { guardHandshakes, keepRenewed, type TlsSource, tlsOptions } from './tls-server.js';

export interface HttpListenerOptions {
  readonly address: BindAddress;
  /** What the requests of this listener say they came through. */
  readonly connector: Connector;
  readonly handler: HttpHandler;
  readonly limits: HttpLimits;
  /** Needed where the address is secure. */
  readonly tls?: TlsSource | undefined;
  readonly callers: CallerRules;
  /** Speak HTTP/2 with clients of TLS that ask for it. */
  readonly http2?: boolean;
  /** Static headers on every answer. Not empty: preflight requests are answered here too. */
  readonly cors: readonly HeaderPair[];
  readonly observer: Observer;
  readonly log: Log;
}

const UNREADABLE_LINE = { ...UNREADABLE, protocol: 'HTTP/1.1' } as const;
const API_NAMES: Readonly<Record<Connector, string>> = { inference: 'Inference', management: 'Management', metrics: 'Metrics', all: 'Inference' };

/**
 * One HTTP/1.1 address. Reads whole requests within limits, gives them to the handler, and sees to it that each is answered once.
 *
 *  state     event → next                          promise while here
 *  created   start → open                          –
 *  open      drain → draining, stop → stopped      connections are accepted, up to the limit
 *  draining  stop → stopped                        no connection is accepted; answers close theirs
 *  stopped   –                                     no socket is left, nor a socket file
 */
export class HttpListener implements Part, ReplyHost {
  readonly name: string;
  readonly cors: readonly HeaderPair[];
  readonly #options: HttpListenerOptions;
  readonly #server: Server;
  readonly #net: NetServer;
  readonly #bodyRates: BodyRates;
  #http2: Http2Door | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #connections = new WeakMap<Socket, Connection>();
  readonly #unreadable = new WeakSet<OutgoingReply>();
  #openReplies = 0;
  #draining = false;
  #onLastReply: (() => void) | undefined;

  constructor(options: HttpListenerOptions) {
    this.name = `listener ${addressText(options.address)}`;
    this.cors = options.cors;
    this.#options = options;
    const { limits } = options;
    this.#bodyRates = new BodyRates(limits.minBodyBytesPerS, limits.headersTimeoutMs);
    this.#server = this.#createServer();
    this.#net = new NetServer(this.#server, this.name, options.log);
    this.#net.limitConnections(limits.maxConnections, limits.maxConnectionsPerAddress);
  }

  /** The port that was bound; undefined for a unix socket or before `start`. */
  get port(): number | undefined {
    return this.#net.port;
  }

  get draining(): boolean {
    return this.#draining;
  }

  get maxUnreadAnswerBytes(): number {
    return this.#options.limits.maxUnreadAnswerBytes;
  }

  get writeStallMs(): number {
    return this.#options.limits.writeStallMs;
  }

  /** Rejects with BindFailed. */
  async start(): Promise<void> {
    const { address, connector, log } = this.#options;
    await clearStaleSocket(address);
    await this.#net.listen(listenOptions(address), addressText(address));
    const bound = address.kind === 'tcp' ? addressText({ ...address, port: this.port ?? address.port }) : addressText(address);
    log.info(`${API_NAMES[connector]} API bind to: ${bound}`);
  }

  /** Resolves when every request that had begun to arrive has been answered, or at the deadline. */
  async drain(deadline: AbortSignal): Promise<void> {
    this.#draining = true;
    this.#server.close();
    this.#server.closeIdleConnections();
    const answered = Promise.all([this.#lastReply(), this.#http2?.drain()]);
    if (deadline.aborted) return;
    await new Promise<void>((resolve) => {
      void answered.then(() => resolve());
      deadline.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async stop(): Promise<void> {
    this.#draining = true;
    const closed = this.#net.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    const { address } = this.#options;
    if (address.kind === 'unix')
      await rm(address.path, { force: true }).catch((error: unknown) => this.#options.log.warn(`${address.path} stays behind: ${String(error)}`));
  }

  answered(reply: OutgoingReply, status: number): void {
    const message = reply.response.req;
    const line = this.#unreadable.has(reply)
      ? UNREADABLE_LINE
      : { method: message.method ?? '', target: message.url ?? '', protocol: `HTTP/${message.httpVersion}` };
    this.#logAnswer(this.#connectionOf(message.socket), line, status, reply.receivedAtMs, reply.id);
  }

  closed(reply: OutgoingReply): void {
    const { socket } = reply.response.req;
    const connection = this.#connectionOf(socket);
    connection.end(reply);
    if (connection.refusal !== undefined && !connection.owesAnswer) this.#refuse(socket, connection);
    this.#over();
  }

  async #lastReply(): Promise<void> {
    if (this.#openReplies === 0) return;
    await new Promise<void>((resolve) => {
      this.#onLastReply = resolve;
    });
  }

  #over(): void {
    this.#openReplies--;
    if (this.#openReplies === 0) this.#onLastReply?.();
  }

  #createServer(): Server {
    const { limits, address, tls } = this.#options;
    const options: ServerOptions = {
      // Node counts the request line in; the two limits are told apart in `#headFits`.
      maxHeaderSize: limits.maxRequestLineBytes + limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: Math.max(limits.requestTimeoutMs, limits.headersTimeoutMs),
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.min(5000, Math.max(20, limits.headersTimeoutMs / 4)),
      insecureHTTPParser: false,
      // `refusalOfHead` asks for it, with words.
      requireHostHeader: false,
      noDelay: true,
      keepAlive: true,
    };
    const isSecure = address.kind === 'tcp' && address.secure && tls !== undefined;
    const server = isSecure ? this.#createSecureServer(options, tls) : createServer(options);
    server.maxHeadersCount = 0;
    server.prependListener('connection', (socket: Socket) => this.#track(socket));
    server.on('request', (message, response) => this.#onRequest(message, response, false));
    server.on('checkContinue', (message, response) => this.#onRequest(message, response, true));
    server.on('checkExpectation', (message, response) => this.#begin(message, response).send(417, ''));
    server.on('connect', (_message, socket) => this.#refuseConnection(socket as Socket, MethodNotAllowed({})));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket as Socket));
    return server;
  }

  #createSecureServer(options: ServerOptions, tls: TlsSource): Server {
    const { limits, http2 = false } = this.#options;
    const { headersTimeoutMs: timeoutMs, maxHandshakes } = limits;
    const server = createSecureServer({ ...options, ...tlsOptions(tls, timeoutMs), ALPNProtocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'] });
    if (http2) this.#speakHttp2(server);
    keepRenewed(server, tls);
    guardHandshakes(server, { timeoutMs, maxUnderWay: maxHandshakes }, refusePlainHttp, () =>
      this.#net.refused(`${maxHandshakes} TLS handshakes under way, its limit`),
    );
    return server;
  }

  /** Hands connections on by the protocol that their handshake agreed on. */
  #speakHttp2(server: Server): void {
    const { connector, handler, limits, cors, callers } = this.#options;
    const door = new Http2Door({
      connector,
      handler,
      limits,
      cors,
      callers,
      bodyRates: this.#bodyRates,
      connectionOf: (socket) => this.#connectionOf(socket),
      begun: () => this.#openReplies++,
      over: () => this.#over(),
      answered: (socket, line, status, { receivedAtMs, id }) => this.#logAnswer(this.#connectionOf(socket), line, status, receivedAtMs, id),
    });
    this.#http2 = door;
    const http1 = server.listeners('secureConnection');
    server.removeAllListeners('secureConnection');
    server.on('secureConnection', (socket) => {
      if (socket.alpnProtocol === 'h2') door.accept(socket);
      else for (const listener of http1) Reflect.apply(listener, server, [socket]);
    });
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #connectionOf(socket: Socket): Connection {
    let connection = this.#connections.get(socket);
    if (connection === undefined) {
      const { address } = this.#options;
      connection = new Connection(socket, address.kind === 'unix' ? address.path : undefined, this.#options.limits.maxPipelined);
      this.#connections.set(socket, connection);
    }
    return connection;
  }

  #begin(message: IncomingMessage, response: ServerResponse): OutgoingReply {
    const reply = new OutgoingReply(response, this);
    this.#openReplies++;
    this.#connectionOf(message.socket).begin(reply);
    return reply;
  }

  #onRequest(message: IncomingMessage, response: ServerResponse, waitsForContinue: boolean): void {
    const reply = this.#begin(message, response);
    this.#connectionOf(message.socket).inTurn(() => this.#read(message, response, reply, waitsForContinue));
  }

  #read(message: IncomingMessage, response: ServerResponse, reply: OutgoingReply, waitsForContinue: boolean): void {
    const { limits, cors, callers } = this.#options;
    const { rawHeaders } = message;
    if (!headFits(message, limits)) {
      this.#unreadable.add(reply);
      reply.fail(BadRequest({ message: BAD_MESSAGE }));
      return;
    }
    const refusal = refusalOfHead(message, callers);
    if (refusal !== undefined) {
      // A body that a client is still sending would lose it the answer.
      if (waitsForContinue) reply.fail(refusal);
      else discardBody(message, limits.maxRequestBytes, this.#meter(message), () => reply.fail(refusal));
      return;
    }
    const length = firstHeader(rawHeaders, 'content-length');
    const announcedBytes = length === undefined ? undefined : Number(length);
    if (announcedBytes !== undefined && announcedBytes > limits.maxRequestBytes) {
      this.#refuseBody(message, response, waitsForContinue);
      return;
    }
    if (cors.length > 0 && message.method === 'OPTIONS' && firstHeader(rawHeaders, 'access-control-request-method') !== undefined) {
      reply.send(200, '');
      return;
    }
    if (waitsForContinue) response.writeContinue();
    const hasBody = announcedBytes === undefined ? firstHeader(rawHeaders, 'transfer-encoding') !== undefined : announcedBytes > 0;
    if (!hasBody) {
      this.#handle(message, reply, EMPTY_BODY);
      return;
    }
    readBody(message, announcedBytes, limits.maxRequestBytes, this.#meter(message), {
      whole: (body) => this.#handle(message, reply, body),
      tooLarge: () => this.#refuseBody(message, response, false),
    });
  }

  /** Holds a body to the least rate. */
  #meter(message: IncomingMessage): BodyMeter {
    return this.#bodyRates.watch(message, () => this.#refuseConnection(message.socket, RequestTooSlow({})));
  }

  #handle(message: IncomingMessage, reply: OutgoingReply, body: Uint8Array): void {
    reply.requestIsWhole = true;
    const { handler, connector } = this.#options;
    handler(new IncomingRequest(message, reply, this.#connectionOf(message.socket), connector, body), reply);
  }

  /** TorchServe's bare 413: no id, no log line. The head goes out at once, the rest of the body is read for a while, so that a client that is still sending sees it. */
  #refuseBody(message: IncomingMessage, response: ServerResponse, nothingFollows: boolean): void {
    response.writeHead(413, 'Request Entity Too Large', ['content-length', '0', 'connection', 'close']);
    if (nothingFollows) {
      response.end();
      return;
    }
    response.flushHeaders();
    const close = (): void => void response.end();
    discardBody(message, DISCARD_LIMIT_BYTES, this.#bodyRates.watch(message, close), close);
  }

  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#connectionOf(socket);
    if (connection.refusal !== undefined) return;
    const isTimeout = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
    if (!socket.writable || (!isTimeout && !error.code?.startsWith('HPE_'))) {
      socket.destroy();
      return;
    }
    this.#refuseConnection(socket, isTimeout ? RequestTooSlow({}) : BadRequest({ message: BAD_MESSAGE }));
  }

  /** Nothing more is read of a connection; what was read whole is answered, then this. */
  #refuseConnection(socket: Socket, error: SconceError): void {
    const connection = this.#connectionOf(socket);
    if (connection.refusal !== undefined) return;
    connection.refusal = error;
    if (!connection.owesAnswer) this.#refuse(socket, connection);
  }

  #refuse(socket: Socket, connection: Connection): void {
    if (connection.refusal === undefined || !socket.writable) return;
    const { id, status } = refuseConnection(socket, connection.refusal, this.cors);
    this.#logAnswer(connection, UNREADABLE_LINE, status, performance.now(), id);
  }

  #logAnswer(connection: Connection, line: { method: string; target: string; protocol: string }, status: number, sinceMs: number, requestId: string): void {
    const { method, target, protocol } = line;
    this.#options.observer.httpAnswered({ peer: connection.peer, method, target, protocol, status, ms: performance.now() - sinceMs, requestId });
  }
}
