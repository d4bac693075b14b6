import type { Worker } from 'node:worker_threads';

/** How long the server's end waits for threads that are still inside native code. */
const SETTLE_MS = 10_000;

/**
 * Threads that were given up inside native code and end by themselves when they come out of it. The process must not exit before:
 * Node would end them there, and the process would abort.
 */
export class AbandonedThreads {
  readonly #ends = new Set<Promise<void>>();

  add(worker: Worker): void {
    worker.unref();
    const end = new Promise<void>((resolve) => {
      worker.once('exit', () => resolve());
    }).then(() => {
      this.#ends.delete(end);
    });
    this.#ends.add(end);
  }

  /** Resolves when all have ended, or after ten seconds. */
  async settle(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, SETTLE_MS);
    });
    await Promise.race([Promise.all(this.#ends), patience]);
    clearTimeout(timer);
  }
}
