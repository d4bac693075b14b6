import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { type ConnectionInjector, Server as GrpcServer, ServerCredentials, ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js';
import type { GrpcMethod } from '../api/grpc-method.js';
import { type GrpcStatus, refusalOf } from '../api/grpc-status.js';
import { BindFailed } from '../errors/config.js';
import type { Part } from '../lifecycle.js';
import type { Log, Observer } from '../observability/observer.js';
import { type CallHost, OngoingCall } from './grpc-call.js';
import type { GrpcLimits } from './grpc-limits.js';
import { SECURE_DEFAULTS, type TlsMaterial } from './tls.js';

export interface GrpcListenerOptions {
  /** As the log names it. */
  readonly api: 'Inference' | 'Management';
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly methods: readonly GrpcMethod[];
  /** Throws TokenRefused when the call may not do what `scope` stands for. */
  readonly authorize: (scope: GrpcMethod['scope'], authorization: string | undefined) => void;
  readonly limits: GrpcLimits;
  /** undefined: without TLS. */
  readonly tls: TlsMaterial | undefined;
  readonly observer: Observer;
  readonly log: Log;
}

const BACKLOG = 1024;
/** grpc-js's word for never, and the longest time that a timer counts. */
const FOREVER_MS = 2 ** 31 - 1;
/** How a client that vanished without a word is noticed. */
const KEEPALIVE_MS = 60_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

/**
 * One gRPC address. Accepts the connections itself, so that address, TLS and number of connections are held as on the REST listeners; grpc-js speaks HTTP/2 on them.
 *
 *  state     event → next                          promise while here
 *  created   start → open                          –
 *  open      drain → draining, stop → stopped      connections are accepted, up to the limit
 *  draining  stop → stopped                        no connection and no call is accepted; calls finish, then their connections close
 *  stopped   –                                     no socket is left
 */
export class GrpcListener implements Part, CallHost {
  readonly name: string;
  readonly limits: GrpcLimits;
  readonly #options: GrpcListenerOptions;
  readonly #server: Server;
  readonly #grpc: GrpcServer;
  readonly #injector: ConnectionInjector;
  readonly #methods: ReadonlyMap<string, GrpcMethod>;
  readonly #sockets = new Set<Socket>();
  readonly #drainListeners = new Set<() => void>();
  #draining = false;
  #onLastSocket: (() => void) | undefined;

  constructor(options: GrpcListenerOptions) {
    this.#options = options;
    this.limits = options.limits;
    this.name = `gRPC listener ${this.#address(options.port)}`;
    this.#methods = new Map(options.methods.map((method) => [`/${method.service}/${method.name}`, method]));
    this.#grpc = this.#createGrpcServer();
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#server = this.#createServer();
  }

  /** The port that was bound; undefined before `start`. */
  get port(): number | undefined {
    const address = this.#server.address();
    return address !== null && typeof address === 'object' ? address.port : undefined;
  }

  /** Rejects with BindFailed. */
  async start(): Promise<void> {
    const { host, port, api, tls, log } = this.#options;
    await new Promise<void>((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void => reject(BindFailed({ address: this.#address(port), why: error.code ?? error.message }, error));
      this.#server.once('error', onError);
      this.#server.listen({ host, port, backlog: BACKLOG }, () => {
        this.#server.off('error', onError);
        resolve();
      });
    });
    this.#server.on('error', (error) => log.error(`${this.name} met an error`, error));
    log.info(`${api} gRPC API bind to: ${this.#address(this.port ?? port)}${tls === undefined ? '' : ' with TLS'}`);
  }

  /** Resolves when the calls that had begun are answered and their connections closed, or at the deadline. */
  async drain(deadline: AbortSignal): Promise<void> {
    this.#draining = true;
    this.#server.close();
    for (const listener of [...this.#drainListeners]) listener();
    this.#injector.drain(FOREVER_MS);
    if (this.#sockets.size === 0 || deadline.aborted) return;
    await new Promise<void>((resolve) => {
      this.#onLastSocket = resolve;
      deadline.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  async stop(): Promise<void> {
    this.#draining = true;
    const closed = this.#server.listening ? new Promise<void>((resolve) => this.#server.close(() => resolve())) : undefined;
    this.#grpc.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  refusal({ scope }: GrpcMethod, authorization: string | undefined): GrpcStatus | undefined {
    return refusalOf(() => this.#options.authorize(scope, authorization));
  }

  onDrain(listener: () => void): () => void {
    if (this.#draining) queueMicrotask(listener);
    else this.#drainListeners.add(listener);
    return () => this.#drainListeners.delete(listener);
  }

  over(call: OngoingCall, code: number): void {
    const { id: requestId, method, receivedAtMs } = call;
    this.#options.observer.grpcAnswered({
      peer: `/${call.getPeer()}`,
      method: `${method.service}/${method.name}`,
      code,
      ms: performance.now() - receivedAtMs,
      requestId,
    });
  }

  #address(port: number): string {
    const { host } = this.#options;
    return `${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  #createGrpcServer(): GrpcServer {
    const { maxMessageBytes, maxConcurrentStreams, maxConnectionAgeMs, maxConnectionAgeGraceMs } = this.limits;
    const takeOver: ServerInterceptor = ({ path }, transport) => {
      const method = this.#methods.get(path);
      return method === undefined ? new ServerInterceptingCall(transport) : new OngoingCall(transport, method, this);
    };
    const grpc = new GrpcServer({
      interceptors: [takeOver],
      'grpc.enable_channelz': 0,
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.max_concurrent_streams': maxConcurrentStreams,
      'grpc.max_connection_age_ms': Math.min(maxConnectionAgeMs, FOREVER_MS),
      'grpc.max_connection_age_grace_ms': Math.min(maxConnectionAgeGraceMs, FOREVER_MS),
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    });
    const asTheyAre = (bytes: Buffer): Buffer => bytes;
    // Makes the path known; OngoingCall takes the call over before this handler would be run.
    for (const path of this.#methods.keys()) grpc.register(path, () => undefined, asTheyAre, asTheyAre, 'bidi');
    return grpc;
  }

  #createServer(): Server {
    const { tls, limits, log } = this.#options;
    const accept = (socket: Socket): void => this.#accept(socket);
    const server =
      tls === undefined
        ? createServer({ noDelay: true }, accept)
        : createTlsServer({ ...SECURE_DEFAULTS, ...tls, ALPNProtocols: ['h2'], handshakeTimeout: limits.handshakeTimeoutMs, noDelay: true }, accept);
    server.maxConnections = limits.maxConnections;
    server.once('drop', () => log.warn(`${this.name} has ${limits.maxConnections} connections, its limit: further ones are closed`));
    return server;
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#draining) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onLastSocket?.();
    });
    this.#injector.injectConnection(socket);
  }
}
