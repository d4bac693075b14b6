import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack as tarPack } from 'tar-stream';
import { ZipFile } from 'yazl';
import { PackRefused } from '../errors/packing.js';
import type { ArchiveEntry } from './archive-entry.js';
import { MANIFEST_NAME } from './model-description.js';
import type { ArchiveFormat } from './pack-wish.js';
import { scratchFolder } from './scratch-folder.js';
import { storedZip } from './stored-zip.js';

export interface ArchivePlan {
  readonly format: ArchiveFormat;
  /** Where it goes; absolute. What is there is replaced. */
  readonly output: string;
  /** The model's name: the folder that the entries of a tar.gz lie in. */
  readonly name: string;
  readonly time: Date;
  /** In the order in which they are written. */
  readonly entries: readonly ArchiveEntry[];
}

/** What was written; of a folder nothing is told. */
export interface WrittenArchive {
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
}

const MODE = 0o100644;

/** Writes the archive beside its place and moves it there when it is whole: a failure leaves what was there before. Bytes depend on the plan alone, and on how zlib compresses. */
export async function writeArchive(plan: ArchivePlan): Promise<WrittenArchive> {
  await mkdir(dirname(plan.output), { recursive: true });
  if (plan.format === 'folder') refuseForeignFolder(plan.output);
  const beside = await scratchFolder('.sconce-pack-', dirname(plan.output));
  const fresh = join(beside.path, basename(plan.output));
  try {
    const written = plan.format === 'folder' ? await writeFolder(plan, fresh) : await writeFile(plan, fresh);
    // A folder can't be moved over another one.
    if (existsSync(plan.output)) await rename(plan.output, join(beside.path, 'replaced'));
    await rename(fresh, plan.output);
    return written;
  } finally {
    await beside.remove();
  }
}

async function writeFile(plan: ArchivePlan, file: string): Promise<WrittenArchive> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const counted = async function* (bytes: AsyncIterable<Buffer>) {
    for await (const chunk of bytes) {
      hash.update(chunk);
      sizeBytes += chunk.length;
      yield chunk;
    }
  };
  await pipeline(bytesOf(plan), counted, createWriteStream(file));
  return { sizeBytes, sha256: hash.digest('hex') };
}

function bytesOf(plan: ArchivePlan): Readable | AsyncIterable<Buffer> {
  if (plan.format === 'tgz') return tarGz(plan);
  return plan.format === 'mar-store' ? storedZip(plan.entries, day(plan.time), MODE) : deflatedZip(plan);
}

function refuseForeignFolder(output: string): void {
  if (existsSync(output) && !existsSync(join(output, MANIFEST_NAME)))
    throw PackRefused({ message: `${output} is there and is no packed model: it is not replaced. Choose another place with -o.` });
}

/** Entries hold a day and noon: local time, which is what they hold, differs from place to place, and noon is an hour that each day has everywhere. */
function day(time: Date): { readonly year: number; readonly month: number; readonly day: number } {
  return { year: Math.min(2107, Math.max(1980, time.getUTCFullYear())), month: time.getUTCMonth() + 1, day: time.getUTCDate() };
}

function deflatedZip({ entries, time }: ArchivePlan): Readable {
  const archive = new ZipFile();
  const output = archive.outputStream as Readable;
  const at = day(time);
  for (const { name, sizeBytes, open } of entries) {
    const options = { mtime: new Date(at.year, at.month - 1, at.day, 12), mode: MODE, forceDosTimestamp: true, size: sizeBytes };
    archive.addReadStreamLazy(name, options, (give) => {
      const content = open();
      content.on('error', (error) => output.destroy(error));
      give(null, content);
    });
  }
  archive.on('error', (error: Error) => output.destroy(error));
  archive.end();
  return output;
}

function tarGz({ entries, name: folder, time }: ArchivePlan): Readable {
  const archive = tarPack();
  const gzip = createGzip();
  const add = async (): Promise<void> => {
    for (const { name, sizeBytes, open } of entries)
      await pipeline(open(), archive.entry({ name: `${folder}/${name}`, size: sizeBytes, mode: 0o644, mtime: time, type: 'file' }));
    archive.finalize();
  };
  pipeline(archive, gzip).catch((error: Error) => gzip.destroy(error));
  add().catch((error: Error) => archive.destroy(error));
  return gzip;
}

async function writeFolder({ entries }: ArchivePlan, folder: string): Promise<WrittenArchive> {
  await mkdir(folder);
  for (const { name, open } of entries) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await pipeline(open(), createWriteStream(path));
  }
  return { sizeBytes: undefined, sha256: undefined };
}
