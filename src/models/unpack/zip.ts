import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import yauzl, { type Entry, type ZipFile } from 'yauzl';
import { Unpackable, type UnpackBudget } from './unpack-limits.js';
import { writeEntry } from './write-file.js';

const FILE_TYPE = 0o170000;
const REGULAR = 0o100000;
const FOLDER = 0o040000;
const UNIX = 3;
/** Extra fields and comments of all entries together; they are held in memory. */
const MAX_EXTRA_BYTES = 16 * 2 ** 20;

/** Unpacks a zip into `folder`, which exists and is empty. Throws Unpackable. */
export async function unpackZip(file: string, folder: string, budget: UnpackBudget): Promise<void> {
  const open = promisify<string, yauzl.Options, ZipFile>(yauzl.open);
  let zip: ZipFile;
  try {
    zip = await open(file, { autoClose: false, lazyEntries: true, decodeStrings: true, validateEntrySizes: true, strictFileNames: true });
  } catch (error) {
    throw new Unpackable(messageOf(error), { cause: error });
  }
  try {
    const entries = await entriesOf(zip, budget);
    refuseOverlaps(entries);
    for (const entry of entries) await unpackEntry(zip, entry.entry, entry.path, folder, budget);
  } catch (error) {
    throw error instanceof Unpackable ? error : new Unpackable(messageOf(error), { cause: error });
  } finally {
    zip.close();
  }
}

interface Listed {
  readonly entry: Entry;
  /** '' for a folder entry of the root. */
  readonly path: string;
}

/** Reads the whole central directory before anything is written, so that a bad name late in it leaves nothing behind. */
function entriesOf(zip: ZipFile, budget: UnpackBudget): Promise<Listed[]> {
  return new Promise((resolve, reject) => {
    const listed: Listed[] = [];
    let extraBytes = 0;
    zip.on('error', (error: unknown) => reject(new Unpackable(messageOf(error), { cause: error })));
    zip.on('end', () => resolve(listed));
    zip.on('entry', (entry: Entry) => {
      try {
        const isFolder = entry.fileName.endsWith('/');
        refuseOddEntry(entry, isFolder);
        extraBytes += entry.extraFieldLength + entry.fileCommentLength;
        if (extraBytes > MAX_EXTRA_BYTES) throw new Unpackable(`extra fields and comments of more than ${MAX_EXTRA_BYTES} bytes`);
        listed.push({ entry, path: budget.path(entry.fileName, isFolder) });
        zip.readEntry();
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    zip.readEntry();
  });
}

function refuseOddEntry(entry: Entry, isFolder: boolean): void {
  if (entry.isEncrypted()) throw new Unpackable(`${entry.fileName} is encrypted`);
  if (entry.compressionMethod !== 0 && entry.compressionMethod !== 8) throw new Unpackable(`${entry.fileName} is compressed by an unknown method`);
  if (entry.versionMadeBy >> 8 !== UNIX) return;
  const type = (entry.externalFileAttributes >>> 16) & FILE_TYPE;
  if (type !== 0 && type !== (isFolder ? FOLDER : REGULAR)) throw new Unpackable(`${entry.fileName} is a link or a device`);
}

/** Entries that share bytes are how a small file unpacks to many large ones. */
function refuseOverlaps(listed: readonly Listed[]): void {
  const sorted = listed.map(({ entry }) => entry).sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader);
  let end = 0;
  for (const entry of sorted) {
    if (entry.relativeOffsetOfLocalHeader < end) throw new Unpackable('entries that overlap');
    end = entry.relativeOffsetOfLocalHeader + 30 + entry.compressedSize;
  }
}

async function unpackEntry(zip: ZipFile, entry: Entry, path: string, folder: string, budget: UnpackBudget): Promise<void> {
  if (path === '') return;
  if (entry.fileName.endsWith('/')) {
    await mkdir(join(folder, path), { recursive: true, mode: 0o755 });
    return;
  }
  const open = () =>
    new Promise<Readable>((resolve, reject) => {
      zip.openReadStream(entry, (error, stream) => (error ? reject(error) : resolve(stream)));
    });
  let sum = 0;
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sum = crc32(chunk, sum);
      done(null, chunk);
    },
    flush(done) {
      done(sum === entry.crc32 ? null : new Unpackable(`${entry.fileName} does not have the checksum it should have`));
    },
  });
  await writeEntry(folder, path, open, budget, [check]);
}

function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /relative path|absolute path|invalid characters/.test(text) ? `Detected Zip Slip vulnerability: ${text}` : text;
}
