/** What one REST listener grants a client. Every number is a bound that holds whatever the client does. */
export interface HttpLimits {
  /** Longest request body in bytes, inclusive. Longer: 413. */
  readonly maxRequestBytes: number;
  /** Method, target and protocol together. Longer: 400. */
  readonly maxRequestLineBytes: number;
  /** All header lines of a request together. More: 400. */
  readonly maxHeaderBytes: number;
  /** From a connection's opening, or a request's first byte, to the end of its headers. */
  readonly headersTimeoutMs: number;
  /** From a request's first byte to the end of its body. */
  readonly requestTimeoutMs: number;
  /** The least rate at which a body may arrive, in each stretch of `headersTimeoutMs`. Slower: 408. 0: any. */
  readonly minBodyBytesPerS: number;
  /** How long a connection may lie idle between two requests. */
  readonly keepAliveTimeoutMs: number;
  /** How long an answer may wait for a client that reads nothing of it. */
  readonly writeStallMs: number;
  /** Bytes of a chunked answer that may wait for a slow client before `chunk` gives false. */
  readonly maxUnreadAnswerBytes: number;
  /** Requests of one connection that are worked on at one time; those behind them wait, and nothing more is read. */
  readonly maxPipelined: number;
  /** Open connections; further ones are closed at once. */
  readonly maxConnections: number;
  /** Open connections from one address. */
  readonly maxConnectionsPerAddress: number;
  /** TLS handshakes under way. */
  readonly maxHandshakes: number;
}

/** TorchServe's limits where it has them. */
export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  maxRequestBytes: 6_553_500,
  maxRequestLineBytes: 4096,
  maxHeaderBytes: 8192,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 300_000,
  minBodyBytesPerS: 240,
  keepAliveTimeoutMs: 120_000,
  writeStallMs: 60_000,
  maxUnreadAnswerBytes: 64 * 1024 * 1024,
  maxPipelined: 64,
  maxConnections: 10_000,
  maxConnectionsPerAddress: 5000,
  maxHandshakes: 1000,
};
