import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import type { SourceFile } from './source-tree.js';

/** One file of an archive, its content known before anything is written: what a signature would be made over. */
export interface ArchiveEntry {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly crc32: number;
  open(): Readable;
}

/** Reads the file once. */
export async function fileEntry({ name, path }: SourceFile): Promise<ArchiveEntry> {
  return entry(name, () => createReadStream(path));
}

export async function textEntry(name: string, text: string): Promise<ArchiveEntry> {
  return entry(name, () => Readable.from([Buffer.from(text)]));
}

async function entry(name: string, open: () => Readable): Promise<ArchiveEntry> {
  const hash = createHash('sha256');
  let sum = 0;
  let sizeBytes = 0;
  for await (const chunk of open() as AsyncIterable<Buffer>) {
    hash.update(chunk);
    sum = crc32(chunk, sum);
    sizeBytes += chunk.length;
  }
  return { name, sizeBytes, sha256: hash.digest('hex'), crc32: sum, open };
}
