import { constants, type IncomingHttpHeaders, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { HttpLimits } from './http-limits.js';

/** A request as it arrives. */
export interface ArrivingStream {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
  readonly flags: number;
  /** Names and values in turn, pseudo-headers first. */
  readonly raw: readonly string[];
}

export interface Http2ConnectionHost {
  readonly limits: HttpLimits;
  /** Called once per stream, each followed by one `over`. */
  take(socket: TLSSocket, arriving: ArrivingStream): void;
  over(): void;
  /** Called once, when the last bytes of the connection have left this process or it is gone. */
  ended(connection: Http2Connection): void;
}

/** Streams open at one time. */
const MAX_STREAMS = 100;
/** Frames that break the protocol, each of which would have its stream reset by the server. */
const MAX_INVALID_FRAMES = 100;
/** PING and SETTINGS in one stretch of `headersTimeoutMs`: they are answered, and ask for nothing. */
const MAX_CONTROL_FRAMES = 1000;

/**
 * One connection whose client speaks HTTP/2, from the handshake to its last byte. Every wait has an end:
 *
 *  state     event → next                                                          ends at the latest
 *  silent    a stream → busy                                                       headersTimeoutMs
 *  busy      no stream is left → idle, drain → draining                            writeStallMs after a PING that isn't answered, sent each keepAliveTimeoutMs
 *  idle      a stream → busy, drain → closing                                      keepAliveTimeoutMs
 *  draining  no stream is left → closing                                           as busy
 *  closing   –                                                                     writeStallMs
 */
export class Http2Connection {
  readonly #session: ServerHttp2Session;
  #streams = 0;
  #idle: NodeJS.Timeout;
  readonly #probing: NodeJS.Timeout;
  #patience: NodeJS.Timeout | undefined;
  #controlFrames = 0;
  #countedFromMs = performance.now();

  constructor(
    private readonly socket: TLSSocket,
    private readonly host: Http2ConnectionHost,
  ) {
    const { headersTimeoutMs, keepAliveTimeoutMs, maxHeaderBytes, maxRequestLineBytes } = host.limits;
    this.#session = performServerHandshake(socket, {
      // Counts answers that wait for their client, which `maxUnreadAnswerBytes` and the number of streams bound; what else it counts has bounds of its own.
      maxSessionMemory: Number.MAX_SAFE_INTEGER,
      maxSessionInvalidFrames: MAX_INVALID_FRAMES,
      settings: { enablePush: false, maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: maxHeaderBytes + maxRequestLineBytes },
    });
    this.#idle = setTimeout(() => this.#close(), headersTimeoutMs);
    this.#probing = setInterval(() => this.#probe(), keepAliveTimeoutMs);
    this.#session.on('error', () => this.#session.destroy());
    socket.once('close', () => this.#closed());
    this.#session.on('ping', () => this.#countControlFrame());
    this.#session.on('remoteSettings', () => this.#countControlFrame());
    this.#session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number, raw: unknown) => {
      this.#begin(stream);
      this.host.take(socket, { stream, headers, flags, raw: Array.isArray(raw) ? raw.map(String) : [] });
    });
  }

  /** Takes no new stream, and closes with the last. */
  drain(): void {
    // First the question: a session that is closed asks none.
    if (this.#streams > 0) this.#probe();
    this.#session.close();
    if (this.#streams === 0) this.#waitForEnd();
  }

  #begin(stream: ServerHttp2Stream): void {
    clearTimeout(this.#idle);
    this.#streams += 1;
    stream.on('close', () => {
      this.#streams -= 1;
      this.host.over();
      if (this.#streams > 0) return;
      if (this.#session.closed || this.#session.destroyed) this.#waitForEnd();
      else this.#idle = setTimeout(() => this.#close(), this.host.limits.keepAliveTimeoutMs);
    });
    stream.on('error', () => undefined);
  }

  #close(): void {
    this.#session.close();
    this.#session.destroy();
    this.#waitForEnd();
  }

  /** Of a session that has ended, Node waits for as long as its client likes: to read the last bytes, and then to close its side. */
  #waitForEnd(): void {
    if (!this.socket.destroyed) this.#patience ??= setTimeout(() => this.#cut(), this.host.limits.writeStallMs);
  }

  /** Node tells nothing of a session that it has ended for a breach of the protocol: it reads no more of it, not even that its client has gone. */
  #probe(): void {
    if (this.#session.destroyed) return;
    const patience = setTimeout(() => this.#cut(), this.host.limits.writeStallMs);
    const sent = this.#session.ping(() => clearTimeout(patience));
    if (!sent) clearTimeout(patience);
  }

  #countControlFrame(): void {
    const nowMs = performance.now();
    if (nowMs - this.#countedFromMs >= this.host.limits.headersTimeoutMs) {
      this.#countedFromMs = nowMs;
      this.#controlFrames = 0;
    }
    this.#controlFrames += 1;
    if (this.#controlFrames !== MAX_CONTROL_FRAMES) return;
    this.#session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#session.destroy();
    this.#waitForEnd();
  }

  #cut(): void {
    this.#session.destroy();
    this.socket.destroy();
  }

  /** Not the session's end: its last bytes wait in the socket. */
  #closed(): void {
    clearTimeout(this.#idle);
    clearInterval(this.#probing);
    clearTimeout(this.#patience);
    this.host.ended(this);
  }
}
