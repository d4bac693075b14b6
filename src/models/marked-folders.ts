import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../observability/observer.js';

/** The file in a folder of a cache that says that it is whole; its time is that of the last use. */
export const COMPLETE = '.complete';
const UNUSED_AFTER_MS = 30 * 86_400_000;
const HALF_MADE_AFTER_MS = 86_400_000;
const RENEW_EVERY_MS = 86_400_000;

/**
 * Folders of a cache by the hash of what they were made from: `{root}/{hash}`, whole once the marker is there. What this server gave out stays as long
 * as it runs: its markers are renewed every day, so that no other server takes a folder for unused.
 */
export class MarkedFolders {
  readonly #given = new Set<string>();
  #renewal: NodeJS.Timeout | undefined;

  constructor(
    readonly root: string,
    private readonly log: Log,
  ) {}

  home(hash: string): string {
    return join(this.root, hash);
  }

  /** Whether the folder is whole. From now on it counts as used by this server, or will when it is there. */
  async give(hash: string): Promise<boolean> {
    this.#given.add(hash);
    this.#renewal ??= setInterval(() => void this.#renew(), RENEW_EVERY_MS).unref();
    return touched(this.#marker(hash));
  }

  /** Removes folders that nobody used for 30 days, and what a killed server left half made. Never rejects. */
  async prune(): Promise<void> {
    await this.#renew();
    for (const name of await readdir(this.root).catch(() => [])) {
      if (this.#given.has(name)) continue;
      try {
        if (await isOld(this.home(name))) await this.#remove(name);
      } catch (error) {
        // Another server on this machine may prune at the same time.
        this.log.debug(`${this.home(name)} could not be pruned: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }

  /** Out of the way first: a server that took it for its use meanwhile gets it back whole. */
  async #remove(name: string): Promise<void> {
    const aside = `${this.home(name)}.${randomBytes(6).toString('hex')}`;
    await rename(this.home(name), aside);
    const isBack =
      !(await isOld(aside)) &&
      (await rename(aside, this.home(name)).then(
        () => true,
        () => false,
      ));
    if (!isBack) await rm(aside, { recursive: true, force: true });
  }

  async #renew(): Promise<void> {
    await Promise.all([...this.#given].map((hash) => touched(this.#marker(hash))));
  }

  #marker(hash: string): string {
    return join(this.home(hash), COMPLETE);
  }
}

/** By its last use; by its last change where it is not whole. */
async function isOld(home: string): Promise<boolean> {
  const marker = await stat(join(home, COMPLETE)).catch(() => undefined);
  const { mtimeMs } = marker ?? (await stat(home));
  return Date.now() - mtimeMs > (marker === undefined ? HALF_MADE_AFTER_MS : UNUSED_AFTER_MS);
}

/** Sets a marker's time to now; false when there is none. In a cache that may only be read it stays as it is. */
async function touched(marker: string): Promise<boolean> {
  const now = new Date();
  const there = () => true;
  return utimes(marker, now, now).then(there, () => stat(marker).then(there, () => false));
}
