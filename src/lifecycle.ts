/** A long-lived piece of the server. The gateway starts parts in order and stops them in reverse. Each verb may be called once. */
export interface Part {
  readonly name: string;
  /** Resolves when the part can do its work. Rejecting aborts the server's start. */
  start(): Promise<void>;
  /** Takes nothing new and resolves when what was in flight has been answered, or when the signal aborts. */
  drain?(deadline: AbortSignal): Promise<void>;
  /** Frees everything the part holds: processes, sockets, files. Must not reject. */
  stop(): Promise<void>;
}
