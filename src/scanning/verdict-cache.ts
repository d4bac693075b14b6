import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { TreeScan } from './scan-tree.js';

const UNUSED_AFTER_MS = 30 * 86_400_000;
const PRUNE_EVERY = 64;

const finding = z.object({
  level: z.enum(['note', 'unknown', 'dangerous']),
  rule: z.string(),
  file: z.string(),
  offset: z.number().optional(),
  opcode: z.string().optional(),
  name: z.string().optional(),
  says: z.string(),
});
const kept = z.object({ findings: z.array(finding), leftOut: z.number(), files: z.number(), bytes: z.number(), hashes: z.record(z.string(), z.string()) });

/** What the server's own scanner said of archives, by the SHA-256 of their bytes and the version of the rules: `{folder}/{hash}-{rules}.json`, each written at once. */
export class VerdictCache {
  #writes = 0;

  constructor(
    private readonly folder: string,
    private readonly rules: string,
  ) {}

  /** undefined where there is none, or none that can be read. */
  async find(hash: string): Promise<TreeScan | undefined> {
    try {
      return kept.parse(JSON.parse(await readFile(this.#file(hash), 'utf8')));
    } catch {
      return undefined;
    }
  }

  /** A cache that cannot be written to costs a scan each time, and nothing else. */
  async keep(hash: string, scan: TreeScan): Promise<void> {
    const draft = `${this.#file(hash)}.${randomBytes(6).toString('hex')}`;
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await writeFile(draft, JSON.stringify(scan), { mode: 0o600 });
      await rename(draft, this.#file(hash));
      this.#writes += 1;
      if (this.#writes % PRUNE_EVERY === 1) await this.#prune();
    } catch {
      await rm(draft, { force: true }).catch(() => undefined);
    }
  }

  async #prune(): Promise<void> {
    for (const name of await readdir(this.folder)) {
      const file = join(this.folder, name);
      const { mtimeMs } = await stat(file);
      if (Date.now() - mtimeMs > UNUSED_AFTER_MS) await rm(file, { force: true });
    }
  }

  #file(hash: string): string {
    return join(this.folder, `${hash}-${this.rules}.json`);
  }
}
