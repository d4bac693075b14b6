import type { Caller } from '../admission/caller.js';
import type { GrpcStatus } from './grpc-status.js';

export type { Credentials } from '../admission/caller.js';

/** What is known of one call beside its messages. Of a stream, `principal` is who it is at the message in hand. */
export interface GrpcCall extends Caller {
  /** Fresh UUID: the request id of its predictions. */
  readonly id: string;
  /** The name in the client certificate that the listener has verified. */
  readonly tlsPrincipal?: string | undefined;
  /** `performance.now()` ms. */
  readonly receivedAtMs: number;
  /** From `grpc-timeout`, on the clock of `receivedAtMs`. */
  readonly deadlineAtMs: number | undefined;
  /** Aborted when the client cancels, its connection closes or its deadline passes before the answer is whole. */
  readonly closed: AbortSignal;
  /** Calls `listener` when the server begins to stop while the call is open. One listener per call. */
  onDrain(listener: () => void): void;
}

/** The one answer to a call: messages, then `end` or `fail`. What comes after the end, or after the client has gone, is dropped. */
export interface GrpcReply<Message> {
  /** A client that reads too slowly is cut off: its call ends and `closed` aborts. */
  send(message: Message): void;
  end(): void;
  fail(status: GrpcStatus): void;
  readonly ended: boolean;
  /** Resolves when little of what was sent is still unread. */
  readable(): Promise<void>;
}

/** Takes the client's messages. The next one is read when the promise of the one before has resolved. */
export interface GrpcReceiver<Message> {
  message(message: Message): void | Promise<void>;
  /** The client has sent all it wants to send. */
  halfClosed(): void;
}
