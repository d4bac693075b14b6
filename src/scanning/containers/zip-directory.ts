import { type ByteSource, Stretch } from '../byte-source.js';

/** One entry of a central directory, and where its bytes lie. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly isEncrypted: boolean;
  readonly data: ByteSource;
  /** Of its local header, and behind its data. */
  readonly start: number;
  readonly end: number;
  /** How its local header says otherwise. */
  readonly mismatch: string | undefined;
}

export interface ZipDirectory {
  readonly entries: readonly ZipEntry[];
  /** Where the central directory begins. */
  readonly start: number;
  /** It promised more than could be read. */
  readonly isBroken: boolean;
}

const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
const END_SIGNATURE = Buffer.from('PK\u0005\u0006', 'latin1');
const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;

/**
 * The central directories that a reader may find: that of the last end record, and that of every other whose comment reaches to the end of the file.
 * Bytes in front of the archive are no matter to readers, so they are none here.
 */
export function zipDirectories(source: ByteSource, maxEntries: number): readonly ZipDirectory[] {
  const tailStart = Math.max(0, source.sizeBytes - END_BYTES - MAX_COMMENT_BYTES);
  const tail = source.read(tailStart, END_BYTES + MAX_COMMENT_BYTES);
  const found: number[] = [];
  for (let at = tail.lastIndexOf(END_SIGNATURE); at >= 0; at = at === 0 ? -1 : tail.lastIndexOf(END_SIGNATURE, at - 1)) {
    if (at + END_BYTES > tail.length) continue;
    const reachesEnd = at + END_BYTES + tail.readUInt16LE(at + 20) === tail.length;
    if (found.length === 0 || reachesEnd) found.push(tailStart + at);
    if (found.length >= 8) break;
  }
  const directories = found.flatMap((at) => directoryAt(source, at, maxEntries) ?? []);
  return directories.filter(({ start }, n) => directories.findIndex((other) => other.start === start) === n);
}

function directoryAt(source: ByteSource, endAt: number, maxEntries: number): ZipDirectory | undefined {
  const end = source.read(endAt, END_BYTES);
  let [sizeBytes, offset, endsAt] = [end.readUInt32LE(12), end.readUInt32LE(16), endAt];
  const locator = source.read(endAt - 20, 20);
  if (endAt >= 20 && locator.length === 20 && locator.readUInt32LE(0) === 0x07064b50) {
    const promised = Number(locator.readBigUInt64LE(8));
    // Behind bytes in front of the archive, the record lies right before its locator.
    for (const at of [promised, endAt - 20 - 56]) {
      const record = at >= 0 && at < source.sizeBytes ? source.read(at, 56) : Buffer.alloc(0);
      if (record.length < 56 || record.readUInt32LE(0) !== 0x06064b50) continue;
      [sizeBytes, offset, endsAt] = [Number(record.readBigUInt64LE(40)), Number(record.readBigUInt64LE(48)), at];
      break;
    }
  }
  const start = endsAt - sizeBytes;
  if (start < 0) return undefined;
  // What was put in front of the archive moves every offset in it.
  const shift = start - offset;
  const read = entriesAt(source, { start, end: endsAt, shift, maxEntries });
  return read.entries.length === 0 && sizeBytes > 0 ? undefined : { ...read, start };
}

function entriesAt(
  source: ByteSource,
  { start, end, shift, maxEntries }: { start: number; end: number; shift: number; maxEntries: number },
): Pick<ZipDirectory, 'entries' | 'isBroken'> {
  const entries: ZipEntry[] = [];
  let at = start;
  while (at + 46 <= end) {
    const head = source.read(at, 46);
    if (head.readUInt32LE(0) !== CENTRAL || entries.length >= maxEntries) return { entries, isBroken: true };
    const [nameBytes, extraBytes, commentBytes] = [head.readUInt16LE(28), head.readUInt16LE(30), head.readUInt16LE(32)];
    const rest = source.read(at + 46, nameBytes + extraBytes);
    const central = {
      name: rest.subarray(0, nameBytes),
      flags: head.readUInt16LE(8),
      method: head.readUInt16LE(10),
      ...zip64(rest.subarray(nameBytes), { sizeBytes: head.readUInt32LE(20), fullBytes: head.readUInt32LE(24), offset: head.readUInt32LE(42) }),
    };
    entries.push(entryOf(source, central, central.offset + shift));
    at += 46 + nameBytes + extraBytes + commentBytes;
  }
  return { entries, isBroken: at !== end };
}

interface Sizes {
  readonly sizeBytes: number;
  readonly fullBytes: number;
  readonly offset: number;
}

function zip64(extra: Buffer, sizes: Sizes): Sizes {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const body = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
    let read = 0;
    const wide = (narrow: number): number => {
      if (narrow !== 0xffffffff || read + 8 > body.length) return narrow;
      read += 8;
      return Number(body.readBigUInt64LE(read - 8));
    };
    const fullBytes = wide(sizes.fullBytes);
    const sizeBytes = wide(sizes.sizeBytes);
    return { fullBytes, sizeBytes, offset: wide(sizes.offset) };
  }
  return sizes;
}

function entryOf(source: ByteSource, central: Sizes & { readonly name: Buffer; readonly flags: number; readonly method: number }, start: number): ZipEntry {
  const { name, flags, method, sizeBytes } = central;
  const local = start >= 0 ? source.read(start, 30) : Buffer.alloc(0);
  const known = { name: name.toString('utf8'), method, isEncrypted: (flags & 1) !== 0, start };
  if (local.length < 30 || local.readUInt32LE(0) !== LOCAL)
    return { ...known, data: new Stretch(source, start, 0), end: start, mismatch: 'has no local header' };
  const nameBytes = local.readUInt16LE(26);
  const dataAt = start + 30 + nameBytes + local.readUInt16LE(28);
  const localName = source.read(start + 30, nameBytes);
  const localSize = local.readUInt32LE(18);
  // A writer that did not know the size yet wrote it behind the data; a very long one stands in the extra field.
  const isSizeElsewhere = (local.readUInt16LE(6) & 8) !== 0 || localSize === 0xffffffff;
  const mismatch = !localName.equals(name)
    ? `is called ${localName.toString('utf8')} in its local header`
    : local.readUInt16LE(8) !== method
      ? 'is packed otherwise than its local header says'
      : ((local.readUInt16LE(6) ^ flags) & 1) !== 0
        ? 'is encrypted by one header and not by the other'
        : !isSizeElsewhere && localSize !== sizeBytes
          ? 'has another length in its local header'
          : undefined;
  return { ...known, data: new Stretch(source, dataAt, sizeBytes), end: dataAt + sizeBytes, mismatch };
}
