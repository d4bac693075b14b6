/** What one gRPC listener grants a client. Every number is a bound that holds whatever the client does. Metadata is bounded by Node: 128 pairs, 64 KiB. */
export interface GrpcLimits {
  /** Longest message in bytes, unpacked. Longer: RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes: number;
  /** Open calls per connection; a client holds further ones back. */
  readonly maxConcurrentStreams: number;
  /** Open connections; further ones are closed at once. */
  readonly maxConnections: number;
  /** Open connections from one address. */
  readonly maxConnectionsPerAddress: number;
  /** TLS handshakes under way. */
  readonly maxHandshakes: number;
  readonly handshakeTimeoutMs: number;
  /** How long a method that takes one message waits for it. */
  readonly messageTimeoutMs: number;
  /** Bytes of an answer that may wait for a slow client before it is cut off. */
  readonly maxUnreadAnswerBytes: number;
  /** How long an answer may wait for a client that reads nothing of it. */
  readonly writeStallMs: number;
  /** A connection's longest life; Infinity: none. */
  readonly maxConnectionAgeMs: number;
  /** What its calls get to finish then. */
  readonly maxConnectionAgeGraceMs: number;
}

export const DEFAULT_GRPC_LIMITS: GrpcLimits = {
  maxMessageBytes: 6_553_500,
  maxConcurrentStreams: 1000,
  maxConnections: 10_000,
  maxConnectionsPerAddress: 5000,
  maxHandshakes: 1000,
  handshakeTimeoutMs: 10_000,
  messageTimeoutMs: 300_000,
  maxUnreadAnswerBytes: 64 * 1024 * 1024,
  writeStallMs: 60_000,
  maxConnectionAgeMs: Number.POSITIVE_INFINITY,
  maxConnectionAgeGraceMs: Number.POSITIVE_INFINITY,
};
