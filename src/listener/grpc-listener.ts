import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import {
  type ConnectionInjector,
  Server as GrpcServer,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from '@grpc/grpc-js';
import type { Credentials } from '../api/grpc-exchange.js';
import type { GrpcMethod } from '../api/grpc-method.js';
import { admissionOf, type GrpcAdmission, type GrpcStatus, renderStatus } from '../api/grpc-status.js';
import { isScope } from '../api/router.js';
import { Invariant } from '../errors/admission.js';
import { HostMalformed, HostRefused } from '../errors/security.js';
import { type GrantedScope, NOBODY, type Principal } from '../inference/principal.js';
import type { Part } from '../lifecycle.js';
import type { Log, Observer } from '../observability/observer.js';
import { hostAndPort } from './bind-address.js';
import { type CallHost, OngoingCall, socketOf } from './grpc-call.js';
import type { GrpcLimits } from './grpc-limits.js';
import { answersTo, type HostRules, hostOf } from './host-rules.js';
import { NetServer } from './net-server.js';
import { RefusedCall } from './refused-call.js';
import { guardHandshakes, keepRenewed, type TlsSource, tlsOptions } from './tls-server.js';

export interface GrpcListenerOptions {
  /** As the log names it. */
  readonly api: 'Inference' | 'Management';
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly methods: readonly GrpcMethod[];
  /** Who calls, if one of the scopes is theirs. Throws or rejects with why not. Never called for `open`. */
  readonly authorize: (scopes: readonly [GrantedScope], credentials: Credentials) => Principal | Promise<Principal>;
  readonly limits: GrpcLimits;
  /** undefined: without TLS. */
  readonly tls: TlsSource | undefined;
  readonly hosts: HostRules;
  readonly observer: Observer;
  readonly log: Log;
}

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
  readonly #net: NetServer;
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
    this.name = `gRPC listener ${hostAndPort(options.host, options.port)}`;
    for (const { name, scope } of options.methods) if (!isScope(scope)) throw Invariant({ what: `the method ${name} has no scope` });
    this.#methods = new Map(options.methods.map((method) => [`/${method.service}/${method.name}`, method]));
    this.#grpc = this.#createGrpcServer();
    this.#injector = this.#grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.#server = this.#createServer();
    this.#net = new NetServer(this.#server, this.name, options.log);
    const { maxConnections, maxConnectionsPerAddress } = options.limits;
    this.#net.limitConnections(maxConnections, maxConnectionsPerAddress);
  }

  /** The port that was bound; undefined before `start`. */
  get port(): number | undefined {
    return this.#net.port;
  }

  /** Rejects with BindFailed. */
  async start(): Promise<void> {
    const { host, port, api, tls, log } = this.#options;
    await this.#net.listen({ host, port }, hostAndPort(host, port));
    log.info(`${api} gRPC API bind to: ${hostAndPort(host, this.port ?? port)}${tls === undefined ? '' : ' with TLS'}`);
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
    const closed = this.#net.close();
    this.#grpc.forceShutdown();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  admission({ scope }: GrpcMethod, credentials: Credentials): GrpcAdmission | Promise<GrpcAdmission> {
    return scope === 'open' ? { principal: NOBODY } : admissionOf(() => this.#options.authorize([scope], credentials));
  }

  onDrain(listener: () => void): () => void {
    if (this.#draining) queueMicrotask(listener);
    else this.#drainListeners.add(listener);
    return () => this.#drainListeners.delete(listener);
  }

  over(call: OngoingCall, code: number): void {
    const { id: requestId, peer, method, receivedAtMs } = call;
    this.#options.observer.grpcAnswered({
      peer,
      method: `${method.service}/${method.name}`,
      code,
      ms: performance.now() - receivedAtMs,
      requestId,
    });
  }

  #createGrpcServer(): GrpcServer {
    const { maxMessageBytes, maxConcurrentStreams, maxConnectionAgeMs, maxConnectionAgeGraceMs } = this.limits;
    const takeOver: ServerInterceptor = ({ path }, transport) => {
      const refusal = this.#refusalOfHost(transport);
      if (refusal !== undefined) return new RefusedCall(transport, refusal);
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
    const { tls, limits } = this.#options;
    if (tls === undefined) return createServer({ noDelay: true }, (socket) => this.#accept(socket));
    const { handshakeTimeoutMs: timeoutMs, maxHandshakes } = limits;
    const server = createTlsServer({ ...tlsOptions(tls, timeoutMs), ALPNProtocols: ['h2'], noDelay: true }, (socket) => {
      if (socket.alpnProtocol === 'h2') this.#accept(socket);
      else socket.destroy();
    });
    keepRenewed(server, tls);
    const tooMany = (): void => this.#net.refused(`${maxHandshakes} TLS handshakes under way, its limit`);
    guardHandshakes(server, { timeoutMs, maxUnderWay: maxHandshakes }, (socket) => socket.destroy(), tooMany);
    return server;
  }

  #refusalOfHost(transport: ServerInterceptingCallInterface): GrpcStatus | undefined {
    const host = hostOf(transport.getHost());
    const isKnown = host !== undefined && answersTo(host, socketOf(transport)?.localAddress, this.#options.hosts);
    return isKnown ? undefined : renderStatus(host === undefined ? HostMalformed({}) : HostRefused({ key: 'sconce_host_names' }));
  }

  #accept(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    if (this.#draining || socket.destroyed) {
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
