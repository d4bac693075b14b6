import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import type { FairPlaces } from './fair-places.js';

/** Where the compiled form of a thread's entry lies: beside the caller, or in dist/ where the caller itself runs from the sources. */
export function threadEntry(relative: string, importMetaUrl: string): string {
  const beside = fileURLToPath(new URL(relative, importMetaUrl));
  return existsSync(beside) ? beside : beside.replace(/^(.*[\\/])src([\\/])/, '$1dist$2');
}

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

  /** `tenant`: on whose behalf. */
  run(input: Input, tenant?: string): Promise<Output> {
    const { places } = this;
    if (places === undefined || tenant === undefined) return this.#pool.run(input);
    return new Promise((resolve) => {
      places.take(tenant, () => resolve(this.#pool.run(input).finally(() => places.give(tenant))));
    });
  }

  async stop(): Promise<void> {
    await this.#pool.destroy();
  }
}
