import { randomUUID } from 'node:crypto';
import { constants } from 'node:http2';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js';
import type { Credentials, GrpcCall, GrpcReceiver, GrpcReply } from '../api/grpc-exchange.js';
import type { GrpcMethod } from '../api/grpc-method.js';
import { GRPC, type GrpcAdmission, type GrpcStatus } from '../api/grpc-status.js';
import { NOBODY, type Principal } from '../inference/principal.js';
import { verifiedName } from './client-certificate.js';
import type { GrpcLimits } from './grpc-limits.js';

/** What a call needs of its listener. */
export interface CallHost {
  readonly limits: GrpcLimits;
  /** Who makes the call, or why it may not be made. Waits only where a token has to be verified first; never rejects. */
  admission(method: GrpcMethod, credentials: Credentials): GrpcAdmission | Promise<GrpcAdmission>;
  /** Runs `listener` once, when the server begins to stop. Gives the way to take it back. */
  onDrain(listener: () => void): () => void;
  /** The call is over: its status was sent, or its client has gone. */
  over(call: OngoingCall, code: number): void;
}

/** Below this, an answer counts as read. */
const LITTLE_UNREAD_BYTES = 1024 * 1024;
/** For a status to reach a client that is still sending. */
const LINGER_MS = 500;
const LONG_PAST_MS = 1000;
const NO_MESSAGE: GrpcStatus = { code: GRPC.deadlineExceeded, details: 'The request was not received in time.' };
const NOT_ONE_MESSAGE: GrpcStatus = { code: GRPC.unimplemented, details: 'This method takes exactly one message.' };

/**
 * One call. Stands where grpc-js would call a handler of its own shape, and drives the transport directly: one message is read at a time, and what a slow
 * client has not read is counted.
 *
 *  state    event → next                                        promise while here
 *  created  metadata, authorized → open; refused → ended        nothing is read; a token may be being verified
 *           client gone → gone
 *  open     end, fail → ended; client gone → gone               messages go to the receiver one after another
 *  ended    –                                                   a status was given; it follows the messages before it
 *  gone     –                                                   `closed` is aborted
 */
export class OngoingCall extends ServerInterceptingCall implements GrpcCall, GrpcReply<Uint8Array> {
  readonly id = randomUUID();
  readonly receivedAtMs = performance.now();
  readonly deadlineAtMs: number | undefined;
  readonly tlsPrincipal: string | undefined;
  #state: 'created' | 'open' | 'ended' | 'gone' = 'created';
  #controller: AbortController | undefined;
  readonly peer: string;
  #principal = NOBODY;
  #authorization: readonly string[] = [];
  #receiver: GrpcReceiver<Uint8Array> | undefined;
  /** The one message of a method that takes one, until the client has said that it was the last. */
  #only: Uint8Array | undefined;
  #messages = 0;
  /** The client has said its last. */
  #halfClosedByClient = false;
  #unreadBytes = 0;
  #stall: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #forgetDrain: (() => void) | undefined;
  readonly #whenReadable: (() => void)[] = [];

  constructor(
    private readonly transport: ServerInterceptingCallInterface,
    readonly method: GrpcMethod,
    private readonly host: CallHost,
  ) {
    super(transport);
    this.peer = peerOf(transport.getPeer());
    this.tlsPrincipal = principalOf(transport);
    const leftMs = Number(transport.getDeadline()) - Date.now();
    // grpc-js counts in 32 bits: a deadline of a month or more has become one in the past, which would end the call at once.
    const isFarAway = leftMs < -LONG_PAST_MS;
    if (isFarAway) clearTimeout(Reflect.get(transport, 'deadlineTimer'));
    this.deadlineAtMs = Number.isFinite(leftMs) && !isFarAway ? this.receivedAtMs + leftMs : undefined;
  }

  /** grpc-js calls this with a listener of its own, which would call a handler: this class is that listener. */
  override start(): void {
    this.transport.start({
      onReceiveMetadata: (metadata) => this.#begin(metadata),
      onReceiveMessage: (message: Uint8Array) => this.#received(message),
      onReceiveHalfClose: () => this.#halfClosed(),
      onCancel: () => this.#clientGone(),
    });
  }

  get principal(): Principal {
    return this.#principal;
  }

  get closed(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#state === 'gone') this.#controller.abort();
    }
    return this.#controller.signal;
  }

  get ended(): boolean {
    return this.#state === 'ended' || this.#state === 'gone';
  }

  onDrain(listener: () => void): void {
    this.#forgetDrain = this.host.onDrain(listener);
  }

  send(bytes: Uint8Array): void {
    if (this.#state !== 'open') return;
    const sizeBytes = bytes.byteLength;
    this.#unreadBytes += sizeBytes;
    if (this.#unreadBytes > this.host.limits.maxUnreadAnswerBytes) return this.#cut();
    this.#watchForStall();
    this.transport.sendMessage(Buffer.from(bytes.buffer, bytes.byteOffset, sizeBytes), () => this.#wasRead(sizeBytes));
  }

  end(): void {
    this.fail({ code: GRPC.ok, details: 'OK' });
  }

  fail({ code, details, reason }: GrpcStatus): void {
    if (this.#state !== 'open') return;
    this.#over('ended', code);
    const metadata = new Metadata();
    if (reason !== undefined) metadata.set('x-sconce-reason', reason);
    this.transport.sendStatus({ code, details, metadata });
  }

  readable(): Promise<void> {
    if (this.ended || this.#unreadBytes <= LITTLE_UNREAD_BYTES) return Promise.resolve();
    return new Promise((resolve) => this.#whenReadable.push(resolve));
  }

  #begin(metadata: Metadata): void {
    this.#authorization = metadata.get('authorization').map(String);
    this.#admitted((refusal) => {
      if (this.#state !== 'created') return;
      if (refusal !== undefined) {
        this.#state = 'ended';
        this.transport.sendStatus({ code: refusal.code, details: refusal.details });
        return;
      }
      this.#open();
    });
  }

  #open(): void {
    const { method, host } = this;
    this.#state = 'open';
    if (!method.requestStream) this.#patience = setTimeout(() => this.fail(NO_MESSAGE), host.limits.messageTimeoutMs);
    this.#receiver = method.begin(this, this);
    this.transport.startRead();
  }

  /** Finds out who calls, now. At once, unless a token has to be verified. */
  #admitted(then: (refusal: GrpcStatus | undefined) => void): void {
    const { host, method, id, peer } = this;
    const take = (admission: GrpcAdmission): void => {
      if ('refusal' in admission) return then(admission.refusal);
      this.#principal = admission.principal;
      then(undefined);
    };
    const admission = host.admission(method, { id, peer, authorization: this.#authorization, tlsPrincipal: this.tlsPrincipal });
    if (admission instanceof Promise) void admission.then(take);
    else take(admission);
  }

  #received(message: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#messages += 1;
    if (!this.method.requestStream) {
      if (this.#messages > 1) return this.fail(NOT_ONE_MESSAGE);
      this.#only = message;
      this.transport.startRead();
      return;
    }
    // A key that was renewed or has expired ends streams too, at their next message.
    if (this.#messages === 1) return this.#give(message);
    this.#admitted((refusal) => (refusal === undefined ? this.#give(message) : this.fail(refusal)));
  }

  #give(message: Uint8Array): void {
    const taken = this.#receiver?.message(message);
    if (taken === undefined) this.transport.startRead();
    else void taken.then(() => this.transport.startRead());
  }

  #halfClosed(): void {
    this.#halfClosedByClient = true;
    clearTimeout(this.#patience);
    if (this.#state !== 'open') return;
    if (this.method.requestStream) return this.#receiver?.halfClosed();
    if (this.#only === undefined) return this.fail(NOT_ONE_MESSAGE);
    void this.#receiver?.message(this.#only);
    this.#only = undefined;
  }

  /** Also called when a status has been sent: then a client that would go on sending is told that nobody listens. */
  #clientGone(): void {
    clearTimeout(this.#stall);
    // Not at once: a reset would overtake the status.
    if (!this.#halfClosedByClient) setTimeout(() => this.#reset(constants.NGHTTP2_NO_ERROR), LINGER_MS).unref();
    if (this.ended) return;
    if (this.#state === 'created') {
      this.#state = 'gone';
      return;
    }
    const late = this.deadlineAtMs !== undefined && performance.now() >= this.deadlineAtMs - 1;
    this.#over('gone', late ? GRPC.deadlineExceeded : GRPC.cancelled);
  }

  #over(state: 'ended' | 'gone', code: number): void {
    this.#state = state;
    clearTimeout(this.#patience);
    this.#forgetDrain?.();
    if (state === 'gone') this.#controller?.abort();
    for (const resolve of this.#whenReadable.splice(0)) resolve();
    this.host.over(this, code);
  }

  #wasRead(sizeBytes: number): void {
    this.#unreadBytes -= sizeBytes;
    clearTimeout(this.#stall);
    this.#stall = undefined;
    if (this.#unreadBytes > 0) this.#watchForStall();
    if (this.#unreadBytes <= LITTLE_UNREAD_BYTES) for (const resolve of this.#whenReadable.splice(0)) resolve();
  }

  #watchForStall(): void {
    this.#stall ??= setTimeout(() => this.#cut(), this.host.limits.writeStallMs);
  }

  /** A status would wait behind what the client doesn't read: the stream is reset, and its memory is free. */
  #cut(): void {
    clearTimeout(this.#stall);
    if (!this.ended) this.#over('gone', GRPC.resourceExhausted);
    this.#reset(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }

  #reset(code: number): void {
    const stream: unknown = Reflect.get(this.transport, 'stream');
    if (isClosable(stream)) stream.close(code);
  }
}

/** As the REST listeners name a peer: IPv6 in brackets. */
function peerOf(addressAndPort: string): string {
  const at = addressAndPort.lastIndexOf(':');
  const address = addressAndPort.slice(0, at).replace(/^::ffff:/, '');
  return `/${address.includes(':') ? `[${address}]` : address}${addressAndPort.slice(at)}`;
}

/** The socket beneath a call: grpc-js doesn't hand it out, its HTTP/2 session does. undefined when the connection is gone. */
export function socketOf(transport: ServerInterceptingCallInterface): Socket | undefined {
  const stream: unknown = Reflect.get(transport, 'stream');
  const session: unknown = typeof stream === 'object' && stream !== null ? Reflect.get(stream, 'session') : undefined;
  const socket: unknown = typeof session === 'object' && session !== null ? Reflect.get(session, 'socket') : undefined;
  return socket instanceof Socket ? socket : undefined;
}

/** By the socket of a session, which is the same object for all its calls. */
const principals = new WeakMap<Socket, string | undefined>();

function principalOf(transport: ServerInterceptingCallInterface): string | undefined {
  const socket = socketOf(transport);
  if (!(socket instanceof TLSSocket)) return undefined;
  if (!principals.has(socket)) principals.set(socket, verifiedName(socket));
  return principals.get(socket);
}

/** grpc-js has no way to reset a stream; its HTTP/2 stream has. */
function isClosable(value: unknown): value is { close(code: number): void } {
  return typeof value === 'object' && value !== null && 'close' in value && typeof value.close === 'function';
}
