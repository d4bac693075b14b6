import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { FairPlaces } from './fair-places.js';

/** Where the compiled form of a thread's entry lies: beside the caller, or in dist/ where the caller itself runs from the sources. */
export function threadEntry(relative: string, importMetaUrl: string): string {
  const beside = fileURLToPath(new URL(relative, importMetaUrl));
  return existsSync(beside) ? beside : beside.replace(/^(.*[\\/])src([\\/])/, '$1dist$2');
}

export interface TaskOptions {
  /** On whose behalf. */
  readonly tenant?: string | undefined;
  readonly timeoutMs?: number;
}

/** A task did not end in its time. Its thread is no more. */
export class TaskTimedOut extends Error {}

/** Threads for work that must not touch the event loop. They start on first use and end when idle. */
export class TaskPool<Input, Output> {
  readonly #pool: Piscina<Input, Output>;

  /**
   * `entry` is a module whose default export takes one Input and gives one Output; both are copied between threads. `places`: the threads are shared by
   * tenants, whose tasks wait there.
   */
  constructor(
    entry: string,
    maxThreads: number,
    private readonly places?: FairPlaces,
  ) {
    this.#pool = new Piscina({ filename: entry, minThreads: 0, maxThreads, idleTimeout: 5000 });
  }

  /** Rejects with TaskTimedOut for a task that has not ended after `timeoutMs`, its wait for a thread included; without it with what the task threw alone. */
  async run(input: Input, { tenant, timeoutMs }: TaskOptions = {}): Promise<Output> {
    const timeout = new AbortController();
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => timeout.abort(), timeoutMs);
    try {
      const give = await this.#place(tenant, timeout.signal);
      return await this.#pool.run(input, timer === undefined ? {} : { signal: timeout.signal }).finally(give);
    } catch (error) {
      throw timeout.signal.aborted ? new TaskTimedOut(`not done after ${timeoutMs} ms`) : error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits for the tenant's turn and gives a way to hand the place back. Rejects when `signal` aborts before. */
  #place(tenant: string | undefined, signal: AbortSignal): Promise<() => void> {
    const { places } = this;
    if (places === undefined || tenant === undefined) return Promise.resolve(() => undefined);
    return new Promise((resolve, reject) => {
      const takeBack = places.take(tenant, () => resolve(() => places.give(tenant)));
      signal.addEventListener('abort', () => takeBack() && reject(signal.reason), { once: true });
    });
  }

  async stop(): Promise<void> {
    await this.#pool.destroy();
  }
}
