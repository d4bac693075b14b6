import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { NotAuthentic } from './not-authentic.js';
import { printable } from './statement.js';

/** A folder's files, by their paths in it with `/` between, and the folders in it that hold nothing. */
export interface Tree {
  readonly files: readonly string[];
  readonly emptyFolders: readonly string[];
}

/** Lists a folder. A link, a device and whatever else is neither file nor folder is refused unless told otherwise, and so are more than `maxFiles`. Throws NotAuthentic. */
export async function treeOf(folder: string, maxFiles: number, links: 'refuse' | 'leave out' = 'refuse'): Promise<Tree> {
  const files: string[] = [];
  const emptyFolders: string[] = [];
  const visit = async (prefix: string): Promise<void> => {
    const entries = await readdir(join(folder, prefix), { withFileTypes: true });
    if (entries.length === 0 && prefix !== '') emptyFolders.push(prefix.slice(0, -1));
    for (const entry of entries) {
      const path = prefix + entry.name;
      if (entry.isDirectory()) await visit(`${path}/`);
      else if (!entry.isFile()) {
        if (links === 'refuse') throw new NotAuthentic('mismatch', `${printable(path)} is a link or a device, which no signature covers`);
      } else if (files.push(path) > maxFiles) throw new NotAuthentic('too_large', `there are more than ${maxFiles} files`);
    }
  };
  await visit('');
  return { files: files.sort(inCodePoints), emptyFolders };
}

/** The order of UTF-8 bytes, which is that of code points and not JavaScript's own. */
export function inCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Opens a regular file for reading. What is no longer one is refused and never waited for. Throws NotAuthentic. */
export async function openFile(path: string): Promise<FileHandle> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
  } catch (error) {
    await file?.close();
    const isThere = await lstat(path).catch(() => undefined);
    if (isThere?.isSymbolicLink() === false) throw error;
    throw new NotAuthentic('mismatch', `${printable(path)} is gone, or is a link`, { cause: error });
  }
  await file.close();
  throw new NotAuthentic('mismatch', `${printable(path)} is no regular file`);
}
