import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ArchiveUnreadable } from '../errors/model.js';
import type { Log } from '../observability/observer.js';
import type { TaskPool } from '../threads/task-pool.js';
import { COMPLETE, MarkedFolders } from './marked-folders.js';
import type { UnpackLimits } from './unpack/unpack-limits.js';
import type { UnpackOutcome, UnpackTask } from './unpack/unpack-thread.js';

/** An archive's tree in the cache. */
export interface CachedTree {
  readonly folder: string;
  /** SHA-256 of the archive, hex. */
  readonly hash: string;
}

/**
 * Unpacked archives by the hash of their bytes: `{root}/{hash}/tree`, with a marker beside it once it is whole. A tree appears by one rename, so a
 * stopped server leaves no half of one. Trees are never written to after that.
 */
export class ArchiveCache {
  readonly #unpacking = new Map<string, Promise<void>>();
  readonly #folders: MarkedFolders;

  constructor(
    root: string,
    private readonly pool: TaskPool<UnpackTask, UnpackOutcome>,
    private readonly limits: UnpackLimits,
    private readonly log: Log,
  ) {
    this.#folders = new MarkedFolders(root, log);
  }

  /** Gives the tree of an archive file, unpacking it when it isn't there yet. `url` is for messages. Throws ArchiveUnreadable. */
  async tree(file: string, url: string): Promise<CachedTree> {
    const before = await identity(file);
    const hash = await this.#run({ do: 'hash', file, maxBytes: this.limits.maxArchiveBytes }, url);
    const home = this.#folders.home(hash);
    if (await this.#folders.give(hash)) return { folder: join(home, 'tree'), hash };
    let unpacking = this.#unpacking.get(hash);
    if (unpacking === undefined) {
      unpacking = this.#unpack({ file, url, home, before }).finally(() => this.#unpacking.delete(hash));
      this.#unpacking.set(hash, unpacking);
    }
    await unpacking;
    return { folder: join(home, 'tree'), hash };
  }

  async #unpack({ file, url, home, before }: Unpacking): Promise<void> {
    const draft = `${home}.${randomBytes(6).toString('hex')}`;
    const folder = join(draft, 'tree');
    await mkdir(folder, { recursive: true, mode: 0o755 });
    try {
      await this.#run({ do: 'unpack', file, format: await formatOf(file), folder, limits: this.limits }, url);
      if ((await identity(file)) !== before) throw ArchiveUnreadable({ url, why: 'it changed while it was read' });
      await writeFile(join(draft, COMPLETE), '');
      await rename(draft, home).catch(async (error: unknown) => {
        // Another server on this machine was faster: its tree is as good.
        if (existsSync(join(home, COMPLETE))) return;
        if (!existsSync(home)) throw error;
        // What an interrupted clean-up left of an earlier tree.
        await rm(home, { recursive: true, force: true });
        await rename(draft, home);
      });
      this.log.info(`Unpacked ${url}`);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    await this.#folders.prune();
  }

  async #run(task: UnpackTask, url: string): Promise<string> {
    const outcome = await this.pool.run(task);
    if (!outcome.ok) throw ArchiveUnreadable({ url, why: outcome.why });
    return outcome.hash;
  }
}

interface Unpacking {
  readonly file: string;
  readonly url: string;
  readonly home: string;
  /** The file's identity before it was hashed. */
  readonly before: string;
}

/** Tells a file that was written to or replaced: its tree would lie under the hash of other bytes. */
async function identity(file: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(file);
  return `${ino} ${size} ${mtimeMs}`;
}

/** Zip or tar.gz, by the first bytes: names lie, `.model` most of all. */
async function formatOf(file: string): Promise<'zip' | 'tar.gz'> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return buffer[0] === 0x1f && buffer[1] === 0x8b ? 'tar.gz' : 'zip';
  } finally {
    await handle.close();
  }
}
