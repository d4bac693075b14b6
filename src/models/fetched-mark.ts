import { existsSync, realpathSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

// What callers of an API have brought into the store lies among the operator's own files. The mark beside it tells them apart, also after a restart that loads the store's names.

/** Marks a file or folder of the store as brought by a caller. Comes before the file itself: what is there without a mark is the operator's. */
export async function markFetched(path: string, url: string): Promise<void> {
  // A query may hold a signature that opens more than this file.
  const line = JSON.stringify({ from: url.replace(/[?#].*$/s, '') });
  await writeFile(markOf(path), `${line}\n`, { mode: 0o644 });
}

/** For what has gone. Never rejects. */
export async function unmarkFetched(path: string): Promise<void> {
  if (!existsSync(path)) await rm(markOf(path), { force: true }).catch(() => undefined);
}

/** Whether a file or folder, or a folder that it lies in, was brought by a caller. */
export function isFetched(path: string): boolean {
  return [path, real(path)].some((start) => {
    for (let at = start; dirname(at) !== at; at = dirname(at)) if (existsSync(markOf(at))) return true;
    return false;
  });
}

function markOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.fetched`);
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
