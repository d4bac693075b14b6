import { createHash } from 'node:crypto';
import type { Resource } from './statement.js';
import { openFile } from './tree-files.js';

const CHUNK_BYTES = 2 ** 20;

/** A file's whole hash, hex, and its length. Rejects with NotAuthentic for what is no regular file. */
export async function digestOf(path: string, algorithm: Resource['hash'] = 'sha256'): Promise<{ readonly digest: string; readonly sizeBytes: number }> {
  const file = await openFile(path);
  try {
    const hash = createHash(algorithm);
    let sizeBytes = 0;
    for await (const chunk of file.createReadStream({ autoClose: false, highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
    return { digest: hash.digest('hex'), sizeBytes };
  } finally {
    await file.close();
  }
}

/** Whether a file is, byte for byte, what the resources say of it: the whole of it, or all of its parts and nothing behind them. */
export async function isAsSigned(path: string, resources: readonly Resource[]): Promise<boolean> {
  const [first] = resources;
  if (first === undefined) return false;
  if (first.range === undefined) return (await digestOf(path, first.hash)).digest === first.digest;
  const file = await openFile(path);
  try {
    const end = resources.reduce((most, { range }) => Math.max(most, range?.to ?? 0), 0);
    if ((await file.stat()).size !== end) return false;
    for (const { range, hash: algorithm, digest } of resources) {
      const hash = createHash(algorithm);
      const part = file.createReadStream({ autoClose: false, start: range?.from ?? 0, end: (range?.to ?? 0) - 1, highWaterMark: CHUNK_BYTES });
      for await (const chunk of part as AsyncIterable<Buffer>) hash.update(chunk);
      if (hash.digest('hex') !== digest) return false;
    }
    return true;
  } finally {
    await file.close();
  }
}
