import type { ArchiveEntry } from './archive-entry.js';

// yazl puts the sizes of a stream behind it, and Java's reader, which is TorchServe's, takes that of compressed entries only. So entries that are only stored are written here.

const MAX_32 = 0xffff_ffff;
const MAX_16 = 0xffff;
/** Version 4.5, made on Unix: long sizes, and a mode. */
const VERSION = 45;
const MADE_ON_UNIX = 3 << 8;
const UTF8_NAMES = 1 << 11;

/** The bytes of a zip whose entries are not compressed. Rejects when an entry's content is not as long as it was. */
export async function* storedZip(
  entries: readonly ArchiveEntry[],
  { year, month, day }: { year: number; month: number; day: number },
  mode: number,
): AsyncGenerator<Buffer> {
  const dosTime = 12 << 11;
  const dosDate = ((year - 1980) << 9) | (month << 5) | day;
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, sizeBytes, crc32, open } of entries) {
    const bytes = Buffer.from(name);
    const isLong = sizeBytes >= MAX_32;
    const common = Buffer.alloc(26);
    common.writeUInt16LE(VERSION, 0);
    common.writeUInt16LE(UTF8_NAMES, 2);
    common.writeUInt16LE(dosTime, 6);
    common.writeUInt16LE(dosDate, 8);
    common.writeUInt32LE(crc32, 10);
    common.writeUInt32LE(Math.min(sizeBytes, MAX_32), 14);
    common.writeUInt32LE(Math.min(sizeBytes, MAX_32), 18);
    common.writeUInt16LE(bytes.length, 22);

    const localExtra = isLong ? longFields(sizeBytes, sizeBytes) : Buffer.alloc(0);
    common.writeUInt16LE(localExtra.length, 24);
    const local = Buffer.concat([signature(0x0403_4b50), common, bytes, localExtra]);
    yield local;
    let written = 0;
    for await (const chunk of open() as AsyncIterable<Buffer>) {
      written += chunk.length;
      yield chunk;
    }
    if (written !== sizeBytes) throw new Error(`${name} changed while it was packed`);

    const extra = isLong || offset >= MAX_32 ? longFields(sizeBytes, sizeBytes, offset) : Buffer.alloc(0);
    if (extra.length > 0) {
      common.writeUInt32LE(MAX_32, 14);
      common.writeUInt32LE(MAX_32, 18);
    }
    common.writeUInt16LE(extra.length, 24);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE((mode << 16) >>> 0, 6);
    rest.writeUInt32LE(extra.length > 0 ? MAX_32 : offset, 10);
    directory.push(signature(0x0201_4b50), word(MADE_ON_UNIX | VERSION), common, rest, bytes, extra);
    offset += local.length + sizeBytes;
  }
  const whole = Buffer.concat(directory);
  yield whole;
  if (entries.length >= MAX_16 || offset + whole.length >= MAX_32) yield longEnd(entries.length, whole.length, offset);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(Math.min(entries.length, MAX_16), 4);
  end.writeUInt16LE(Math.min(entries.length, MAX_16), 6);
  end.writeUInt32LE(Math.min(whole.length, MAX_32), 8);
  end.writeUInt32LE(Math.min(offset, MAX_32), 12);
  yield Buffer.concat([signature(0x0605_4b50), end]);
}

function longFields(...values: readonly number[]): Buffer {
  const extra = Buffer.alloc(4 + 8 * values.length);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(8 * values.length, 2);
  for (const [index, value] of values.entries()) extra.writeBigUInt64LE(BigInt(value), 4 + 8 * index);
  return extra;
}

/** End of the directory in its long form, and where that form begins. */
function longEnd(count: number, sizeBytes: number, offset: number): Buffer {
  const end = Buffer.alloc(52);
  end.writeBigUInt64LE(44n, 0);
  end.writeUInt16LE(MADE_ON_UNIX | VERSION, 8);
  end.writeUInt16LE(VERSION, 10);
  end.writeBigUInt64LE(BigInt(count), 20);
  end.writeBigUInt64LE(BigInt(count), 28);
  end.writeBigUInt64LE(BigInt(sizeBytes), 36);
  end.writeBigUInt64LE(BigInt(offset), 44);
  const locator = Buffer.alloc(16);
  locator.writeBigUInt64LE(BigInt(offset + sizeBytes), 4);
  locator.writeUInt32LE(1, 12);
  return Buffer.concat([signature(0x0606_4b50), end, signature(0x0706_4b50), locator]);
}

function signature(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
