import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';

/** Where the compiled form of a thread's entry lies: beside the caller, or in dist/ where the caller itself runs from the sources. */
export function threadEntry(relative: string, importMetaUrl: string): string {
  const beside = fileURLToPath(new URL(relative, importMetaUrl));
  return existsSync(beside) ? beside : beside.replace(/^(.*[\\/])src([\\/])/, '$1dist$2');
}

/** A task did not end in its time. Its thread is no more. */
export class TaskTimedOut extends Error {}

/** Threads for work that must not touch the event loop. They start on first use and end when idle. */
export class TaskPool<Input, Output> {
  readonly #pool: Piscina<Input, Output>;

  /** `entry` is a module whose default export takes one Input and gives one Output; both are copied between threads. */
  constructor(entry: string, maxThreads: number) {
    this.#pool = new Piscina({ filename: entry, minThreads: 0, maxThreads, idleTimeout: 5000 });
  }

  /** Rejects with TaskTimedOut for a task that has not ended after `timeoutMs`, its wait for a thread included; without it with what the task threw alone. */
  async run(input: Input, timeoutMs?: number): Promise<Output> {
    if (timeoutMs === undefined) return this.#pool.run(input);
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    try {
      return await this.#pool.run(input, { signal: timeout.signal });
    } catch (error) {
      throw timeout.signal.aborted ? new TaskTimedOut(`not done after ${timeoutMs} ms`) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async stop(): Promise<void> {
    await this.#pool.destroy();
  }
}
