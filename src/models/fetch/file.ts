import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Fetcher } from './fetcher.js';

/** Reads a file:// URL of this host, out of one of the folders; `undefined`: wherever it lies. Rejects for what is no regular file or lies elsewhere once its links are followed. */
export function fileFetcher(roots: readonly string[] | undefined): Fetcher {
  return async (url) => {
    const path = await realpath(fileURLToPath(url));
    if (roots !== undefined && !(await isBelow(path, roots))) throw new Error(`${path} lies in no folder that models may come from`);
    // Whatever the path is turned into from here on: no link is followed, and a pipe that nobody writes to keeps nobody waiting.
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const found = await file.stat();
      if (!found.isFile()) throw new Error(`${path} is not a file`);
      return { body: file.createReadStream(), sizeBytes: found.size, tag: undefined, isContinued: false };
    } catch (error) {
      await file.close();
      throw error;
    }
  };
}

async function isBelow(path: string, roots: readonly string[]): Promise<boolean> {
  for (const root of roots) {
    const real = await realpath(root).catch(() => undefined);
    if (real !== undefined && path.startsWith(real.endsWith(sep) ? real : real + sep)) return true;
  }
  return false;
}
