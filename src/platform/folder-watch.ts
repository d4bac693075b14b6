import { createHash } from 'node:crypto';
import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';

export interface FolderWatchOptions {
  readonly folder: string;
  /** Whether a file or folder matters, by its path from `folder`. What is below a folder that doesn't matter doesn't either. */
  readonly wants: (path: string) => boolean;
  /** Something happens to a file: the first event after a quiet time. */
  readonly touched: () => void;
  /** All is quiet again; these files have other content than before, came or went. May be none. */
  readonly settled: (changed: readonly string[]) => void;
  /** A folder can't be watched, or there is too much to watch. */
  readonly problem: (message: string) => void;
}

/** An editor writes a file in several steps, and a checkout many files. */
const QUIET_MS = 120;
/** Something that never stops writing must not keep `settled` away for ever. */
const LONGEST_WAIT_MS = 5000;
/** Larger files are told apart by size and time of change. */
const READ_UP_TO_BYTES = 2 ** 20;
const MAX_FOLDERS = 2000;
const MAX_FILES = 20_000;

/**
 * Watches a folder and what is below it, each folder on its own: what isn't wanted (a virtual environment, say) costs nothing. Contents are compared, so
 * that a file written again as it was is no change.
 *
 *  state     event → next
 *  quiet     event → noisy (touched)
 *  noisy     event → noisy, 120 ms without one, or 5 s → looking
 *  looking   looked → quiet (settled), an event meanwhile → noisy
 */
export class FolderWatch {
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly inode: number }>();
  #contents: ReadonlyMap<string, string> = new Map();
  #timer: NodeJS.Timeout | undefined;
  #noisySinceMs: number | undefined;
  #isLooking = false;
  #isStopped = false;
  readonly #told = new Set<string>();

  constructor(private readonly options: FolderWatchOptions) {}

  /** Resolves when what is there is known and watched. */
  async start(): Promise<void> {
    this.#contents = await this.#look();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    for (const { watcher } of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #event(folder: string, name: string | null): void {
    if (this.#isStopped || (name !== null && !this.options.wants(relative(this.options.folder, join(folder, name))))) return;
    const nowMs = performance.now();
    if (this.#noisySinceMs === undefined) {
      this.#noisySinceMs = nowMs;
      this.options.touched();
    }
    clearTimeout(this.#timer);
    const leftMs = this.#noisySinceMs + LONGEST_WAIT_MS - nowMs;
    this.#timer = setTimeout(() => void this.#settle(), Math.max(0, Math.min(QUIET_MS, leftMs)));
  }

  async #settle(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    const before = this.#contents;
    let now = before;
    do {
      this.#timer = undefined;
      now = await this.#look();
      // What happened while it was looked at may be half in it.
    } while (this.#timer !== undefined && performance.now() - (this.#noisySinceMs ?? 0) < LONGEST_WAIT_MS);
    this.#isLooking = false;
    if (this.#isStopped) return;
    const isNoisyStill = this.#timer !== undefined;
    clearTimeout(this.#timer);
    this.#noisySinceMs = undefined;
    this.#contents = now;
    const changed = [...new Set([...before.keys(), ...now.keys()])].filter((path) => before.get(path) !== now.get(path));
    this.options.settled(changed.sort());
    if (isNoisyStill) this.#event(this.options.folder, null);
  }

  async #look(): Promise<ReadonlyMap<string, string>> {
    const contents = new Map<string, string>();
    const folders = new Set<string>();
    const walk = async (folder: string): Promise<void> => {
      if (folders.size >= MAX_FOLDERS) return this.#problem(`${this.options.folder} has more than ${MAX_FOLDERS} folders: changes in the rest are not seen`);
      folders.add(folder);
      await this.#watch(folder);
      for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
        const path = join(folder, entry.name);
        const shown = relative(this.options.folder, path);
        if (!this.options.wants(shown)) continue;
        if (entry.isDirectory()) await walk(path);
        else if (contents.size >= MAX_FILES) this.#problem(`${this.options.folder} has more than ${MAX_FILES} files: changes in the rest are not seen`);
        else contents.set(shown, await fingerprint(path));
      }
    };
    await walk(this.options.folder);
    for (const [folder, { watcher }] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    return contents;
  }

  /** A folder that was replaced by another of the same name is watched anew. */
  async #watch(folder: string): Promise<void> {
    const inode = (await stat(folder).catch(() => undefined))?.ino;
    const known = this.#watchers.get(folder);
    if (inode === undefined || known?.inode === inode || this.#isStopped) return;
    known?.watcher.close();
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => this.#event(folder, name));
      watcher.on('error', () => watcher.close()); // The folder has gone: its parent tells.
      this.#watchers.set(folder, { watcher, inode });
    } catch (error) {
      this.#problem(`${folder} cannot be watched: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #problem(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.options.problem(message);
  }
}

async function fingerprint(path: string): Promise<string> {
  try {
    const { size, mtimeMs } = await stat(path);
    if (size > READ_UP_TO_BYTES) return `${size} ${mtimeMs}`;
    return createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  } catch {
    return 'unreadable'; // It goes as we look, or isn't ours to read; a later event tells of it.
  }
}
