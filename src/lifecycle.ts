import type { Log } from './observability/observer.js';

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

/** How long a part may take to stop before the next one is stopped all the same. */
const STOP_TIMEOUT_MS = 10_000;

/** Starts parts in order and stops them in reverse, those included that never started: stopping one that holds nothing does nothing. */
export class Lifecycle {
  readonly #parts: Part[] = [];

  constructor(private readonly log: Pick<Log, 'error'>) {}

  add(part: Part): void {
    this.#parts.push(part);
  }

  /** Rejects with the first part's refusal; the caller stops what was started. */
  async start(): Promise<void> {
    for (const part of this.#parts) await part.start();
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    for (const part of this.#parts.splice(0).reverse()) {
      let timer: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        timer = setTimeout(() => {
          this.log.error(`${part.name} did not stop within ${STOP_TIMEOUT_MS / 1000} s`);
          resolve();
        }, STOP_TIMEOUT_MS);
      });
      await Promise.race([part.stop().catch((error: unknown) => this.log.error(`${part.name} did not stop cleanly`, error)), patience]);
      clearTimeout(timer);
    }
  }
}
