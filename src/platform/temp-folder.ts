import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A folder of this process alone: mode 0700, removed with all that is in it by `remove`. */
export interface TempFolder {
  readonly path: string;
  /** Never rejects; a second call does nothing. */
  remove(): Promise<void>;
}

/**
 * Makes a folder whose name begins with `prefix` in `parent`, by default the system's folder for temporary files.
 * Keep the prefix short where sockets will lie in the folder: their paths may have about 100 bytes.
 */
export async function createTempFolder(prefix: string, parent = tmpdir()): Promise<TempFolder> {
  const path = await mkdtemp(join(parent, prefix));
  // mkdtemp follows the umask, which may be stricter but is never to be wider.
  await chmod(path, 0o700);
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 2 }).catch(() => undefined) };
}
