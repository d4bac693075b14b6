import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** Reads a file:// URL of this host. Rejects for what is no regular file. */
export async function fileFetcher(url: URL): Promise<Readable> {
  const path = fileURLToPath(url);
  if (!(await stat(path)).isFile()) throw new Error(`${path} is not a file`);
  return createReadStream(path);
}
