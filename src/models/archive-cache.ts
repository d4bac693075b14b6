import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ArchiveUnreadable } from '../errors/model.js';
import { bareLocation } from '../observability/bare-location.js';
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
  /** Of an archive that may be signed inside: see src/authenticity/zip-seal.ts. undefined in a cache without evidence, too. */
  readonly seal?: string | undefined;
}

/** Beside a tree with evidence: the seal of the archive that it was made of. */
const SEAL = 'seal';

/**
 * Unpacked archives by the hash of their bytes: `{root}/{hash}/tree`, with a marker beside it once it is whole. A tree appears by one rename, so a
 * stopped server leaves no half of one. Trees are never written to after that.
 *
 * A cache with evidence takes each archive into a folder of its own before it unpacks it, so that the tree is made of the very bytes that have the hash, whatever happens to the file meanwhile.
 */
export class ArchiveCache {
  /** Under the hash that the file had at first; each gives that of the bytes that were unpacked. */
  readonly #unpacking = new Map<string, Promise<string>>();
  readonly #folders: MarkedFolders;

  constructor(
    private readonly root: string,
    private readonly pool: TaskPool<UnpackTask, UnpackOutcome>,
    private readonly limits: UnpackLimits,
    private readonly log: Log,
    private readonly keeps: 'tree' | 'evidence' = 'tree',
  ) {
    this.#folders = new MarkedFolders(root, log);
  }

  /** Gives the tree of an archive file, unpacking it when it isn't there yet. `url` is for messages. Throws ArchiveUnreadable. */
  async tree(file: string, url: string): Promise<CachedTree> {
    if (this.keeps === 'evidence') await refuseSharedFolder(this.root, url);
    const before = await identity(file);
    const hash = await this.hashOf(file, url);
    if (await this.#folders.give(hash)) return this.#found(hash);
    let unpacking = this.#unpacking.get(hash);
    if (unpacking === undefined) {
      unpacking = this.#unpack({ file, url, hash, before }).finally(() => this.#unpacking.delete(hash));
      this.#unpacking.set(hash, unpacking);
    }
    return this.#found(await unpacking);
  }

  /** SHA-256 of a file, hex, read on a thread. `url` is for messages. Throws ArchiveUnreadable. */
  hashOf(file: string, url: string): Promise<string> {
    return this.#run({ do: 'hash', file, maxBytes: this.limits.maxArchiveBytes }, url);
  }

  async #found(hash: string): Promise<CachedTree> {
    const home = this.#folders.home(hash);
    const seal = this.keeps === 'evidence' ? await readFile(join(home, SEAL), 'utf8') : '';
    return { folder: join(home, 'tree'), hash, seal: seal || undefined };
  }

  async #unpack({ file, url, hash: first, before }: Unpacking): Promise<string> {
    const draft = `${this.#folders.home(first)}.${randomBytes(6).toString('hex')}`;
    const folder = join(draft, 'tree');
    let unpacked = first;
    await mkdir(folder, { recursive: true, mode: 0o755 });
    try {
      const { source, hash } = await this.#source({ file, url, hash: first, draft });
      await this.#run({ do: 'unpack', file: source, format: await formatOf(source), folder, limits: this.limits }, url);
      if (source === file && (await identity(file)) !== before) throw ArchiveUnreadable({ url, why: 'it changed while it was read' });
      if (source !== file) {
        await writeFile(join(draft, SEAL), await this.#run({ do: 'seal', file: source }, url));
        await rm(source);
      }
      await writeFile(join(draft, COMPLETE), '');
      const home = this.#folders.home(hash);
      await rename(draft, home).catch(async (error: unknown) => {
        // Another server on this machine was faster: its tree is as good.
        if (existsSync(join(home, COMPLETE))) return;
        if (!existsSync(home)) throw error;
        // What an interrupted clean-up left of an earlier tree.
        await rm(home, { recursive: true, force: true });
        await rename(draft, home);
      });
      await this.#folders.give(hash);
      unpacked = hash;
      this.log.info(`Unpacked ${bareLocation(url)}`);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    await this.#folders.prune();
    return unpacked;
  }

  /** The bytes to unpack, and their hash: a copy that nobody else can reach, where evidence is kept. */
  async #source({
    file,
    url,
    hash,
    draft,
  }: Omit<Unpacking, 'before'> & { readonly draft: string }): Promise<{ readonly source: string; readonly hash: string }> {
    if (this.keeps === 'tree') return { source: file, hash };
    const source = join(draft, 'archive');
    return { source, hash: await this.#run({ do: 'take', file, to: source, maxBytes: this.limits.maxArchiveBytes }, url) };
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
  /** Of the file, as it was at first. */
  readonly hash: string;
  /** The file's identity before it was hashed. */
  readonly before: string;
}

/** Tells a file that was written to or replaced: its tree would lie under the hash of other bytes. */
async function identity(file: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(file);
  return `${ino} ${size} ${mtimeMs}`;
}

/** Evidence in a folder that others may write to is none. Throws ArchiveUnreadable. */
async function refuseSharedFolder(folder: string, url: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const { uid, mode } = await stat(folder);
  if (uid !== process.geteuid?.() || (mode & 0o022) !== 0)
    throw ArchiveUnreadable({ url, why: `${folder}, where signed models are kept, is another user's or can be written to by others: chmod go-w it` });
}

/** Zip or tar.gz, by the first bytes: names lie, `.model` most of all. */
export async function formatOf(file: string): Promise<'zip' | 'tar.gz'> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return buffer[0] === 0x1f && buffer[1] === 0x8b ? 'tar.gz' : 'zip';
  } finally {
    await handle.close();
  }
}
