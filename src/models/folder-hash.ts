import { createHash } from 'node:crypto';
import { lstat, readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** SHA-256 over the names, sizes and change times of a folder's files: enough to tell that it is another model now, without reading gigabytes. */
export async function folderHash(directory: string): Promise<string> {
  const hash = createHash('sha256');
  const names = (await readdir(directory, { recursive: true })).sort();
  for (const name of names) {
    // A link that leads nowhere is described by itself.
    const { size, mtimeMs } = await stat(join(directory, name)).catch(() => lstat(join(directory, name)));
    hash.update(`${name}\u0000${size}\u0000${mtimeMs}\n`);
  }
  return hash.update(dirname(directory)).digest('hex');
}
