/** What the server tells of itself. Implementations never throw and never block. One is passed to every room that has something to tell. */
export interface Observer {
  /** A REST prediction was admitted, before queueing. `version` undefined counts as TorchServe's `default`. */
  inferenceRequested(model: string, version: string | undefined): void;
  /** A REST prediction was answered: creation to final part, and its wait in the queue, in microseconds. */
  inferenceAnswered(model: string, version: string | undefined, latencyUs: number, queueUs: number): void;
  /** An accepted request ended otherwise than by its handler's answer. `reason` is the outcome word. */
  inferenceRefused(model: string, reason: string): void;
  queueTime(ms: number): void;
  workerThreadTime(workerName: string, ms: number): void;
  workerLoaded(workerName: string, ms: number): void;
  /** One HTTP answer on any connector. */
  httpAnswered(answer: HttpAnswered): void;
  /** One gRPC call is over, whoever ended it. Calls without a token are not told, as TorchServe doesn't. */
  grpcAnswered(answer: GrpcAnswered): void;
  /** A call was refused for its token: `missing`, `wrong`, `expired`, `unverified`, `scope`, `throttled`. */
  tokenRefused(why: string): void;
  /** A line from a worker: a metric line, or text for the model log. `workerName` is `W-9000-mnist_1.0`. */
  workerOutput(workerName: string, stream: 'stdout' | 'stderr', line: string): void;
}

export interface HttpAnswered {
  /** `/127.0.0.1:53514` as Java prints a peer, or the socket path. */
  readonly peer: string;
  readonly method: string;
  readonly target: string;
  /** `HTTP/1.1` */
  readonly protocol: string;
  readonly status: number;
  readonly ms: number;
  readonly requestId: string;
}

export interface GrpcAnswered {
  /** `/127.0.0.1:53514` */
  readonly peer: string;
  /** `package.Service/Method` */
  readonly method: string;
  /** gRPC status number. */
  readonly code: number;
  readonly ms: number;
  readonly requestId: string;
}

/** The server log: ts_log.log, the console and, where on, JSON lines. `logger` is a dotted name such as `sconce.registry`. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  /** `error`'s stack is logged after the message. */
  error(message: string, error?: unknown): void;
  /** The same log under another logger name. */
  named(logger: string): Log;
}
