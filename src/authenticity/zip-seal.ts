import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { openFile } from './tree-files.js';

// A signature in an archive can't cover the archive, since it is a part of it. So the entry with the signature is the last one, is only stored, and all of its frame follows from its content
// and from the rest: what remains, the entries before it and their directory, is hashed into what is signed. Then each byte of the archive counts.
//
//   entries │ header of model.sig · its content │ directory of the entries · line of model.sig │ end
//   └ sealed ┘                                    └ sealed ──────────────┘

/** Where a signature lies in an archive. */
export const SIGNATURE_NAME = 'MAR-INF/model.sig';

/** An archive without the signature in it. */
export interface SealedZip {
  /** SHA-256 of all bytes but the signature's frame, hex. */
  readonly seal: string;
  /** undefined: the archive is not signed inside. */
  readonly signature: Buffer | undefined;
}

const END_BYTES = 22;
const LOCAL_BYTES = 30;
const LINE_BYTES = 46;
const LONG_16 = 0xffff;
const LONG_32 = 0xffff_ffff;
const VERSION = 20;
const MADE_ON_UNIX = 3 << 8;
const UTF8_NAMES = 1 << 11;
const MODE = 0o100644;
/** 1 January 1980: the first day that a zip can name. */
const DAY = (1 << 5) | 1;
const MAX_DIRECTORY_BYTES = 256 * 2 ** 20;

/** Reads an archive as one that may be signed inside; undefined for one that can't be: a zip in its long form, with a comment or with anything before, behind or between its parts. */
export async function readSealedZip(path: string): Promise<SealedZip | undefined> {
  const file = await openFile(path);
  try {
    const parts = await partsOf(file);
    return parts === undefined ? undefined : { seal: await sealOf(file, parts), signature: parts.signature };
  } finally {
    await file.close();
  }
}

/** An archive with a signature in it, piece by piece; one that is in it already is left out. `sign` is given the seal. Throws where readSealedZip gives undefined. */
export async function* signedZip(path: string, sign: (seal: string) => Buffer): AsyncGenerator<Buffer> {
  const file = await openFile(path);
  try {
    const parts = await partsOf(file);
    if (parts === undefined) throw new Error(`${path} is no plain zip`);
    const { sealedBytes, sealedDirectory, count } = parts;
    const frame = frameOf(sign(await sealOf(file, parts)), { sealedBytes, sealedDirectory, count });
    if (sealedBytes > 0) yield* file.createReadStream({ autoClose: false, start: 0, end: sealedBytes - 1 }) as AsyncIterable<Buffer>;
    yield frame;
  } finally {
    await file.close();
  }
}

interface Parts {
  /** Length of the entries without the signature's. */
  readonly sealedBytes: number;
  /** Their lines of the directory. */
  readonly sealedDirectory: Buffer;
  /** How many they are. */
  readonly count: number;
  readonly signature: Buffer | undefined;
}

async function partsOf(file: FileHandle): Promise<Parts | undefined> {
  const { size } = await file.stat();
  if (size < END_BYTES || size >= LONG_32) return undefined;
  const end = await bytesAt(file, size - END_BYTES, END_BYTES);
  const [count, directoryBytes, directoryAt] = [end.readUInt16LE(10), end.readUInt32LE(12), end.readUInt32LE(16)];
  if (count === LONG_16 || directoryBytes > MAX_DIRECTORY_BYTES || directoryAt + directoryBytes + END_BYTES !== size) return undefined;
  if (!end.equals(endOf(count, directoryBytes, directoryAt))) return undefined;
  const directory = await bytesAt(file, directoryAt, directoryBytes);
  const last = lastLine(directory, count);
  if (last === undefined) return undefined;
  if (last.name !== SIGNATURE_NAME) return { sealedBytes: directoryAt, sealedDirectory: directory, count, signature: undefined };
  const contentAt = last.offset + LOCAL_BYTES + SIGNATURE_NAME.length;
  if (contentAt > directoryAt) return undefined;
  const signature = await bytesAt(file, contentAt, directoryAt - contentAt);
  const sealed = { sealedBytes: last.offset, sealedDirectory: directory.subarray(0, last.at), count: count - 1 };
  const frame = await bytesAt(file, last.offset, size - last.offset);
  return frame.equals(frameOf(signature, sealed)) ? { ...sealed, signature } : undefined;
}

async function sealOf(file: FileHandle, { sealedBytes, sealedDirectory }: Parts): Promise<string> {
  const hash = createHash('sha256');
  if (sealedBytes > 0)
    for await (const chunk of file.createReadStream({ autoClose: false, start: 0, end: sealedBytes - 1 }) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.update(sealedDirectory).digest('hex');
}

/** The last line of a directory, and where it begins. */
function lastLine(directory: Buffer, count: number): { readonly at: number; readonly name: string; readonly offset: number } | undefined {
  let at = 0;
  let last: ReturnType<typeof lastLine>;
  for (let index = 0; index < count; index += 1) {
    if (at + LINE_BYTES > directory.length || directory.readUInt32LE(at) !== 0x0201_4b50) return undefined;
    const [nameBytes, extraBytes, commentBytes] = [directory.readUInt16LE(at + 28), directory.readUInt16LE(at + 30), directory.readUInt16LE(at + 32)];
    last = { at, name: directory.toString('latin1', at + LINE_BYTES, at + LINE_BYTES + nameBytes), offset: directory.readUInt32LE(at + 42) };
    at += LINE_BYTES + nameBytes + extraBytes + commentBytes;
  }
  return at === directory.length ? last : undefined;
}

/** Everything behind the sealed entries. */
function frameOf(signature: Buffer, { sealedBytes, sealedDirectory, count }: Omit<Parts, 'signature'>): Buffer {
  const name = Buffer.from(SIGNATURE_NAME);
  const common = Buffer.alloc(26);
  common.writeUInt16LE(VERSION, 0);
  common.writeUInt16LE(UTF8_NAMES, 2);
  common.writeUInt16LE(DAY, 8);
  common.writeUInt32LE(crc32(signature), 10);
  common.writeUInt32LE(signature.length, 14);
  common.writeUInt32LE(signature.length, 18);
  common.writeUInt16LE(name.length, 22);
  const local = Buffer.concat([word(0x0403_4b50), common, name]);
  const rest = Buffer.alloc(14);
  rest.writeUInt32LE((MODE << 16) >>> 0, 6);
  rest.writeUInt32LE(sealedBytes, 10);
  const madeBy = Buffer.alloc(2);
  madeBy.writeUInt16LE(MADE_ON_UNIX | VERSION);
  const line = Buffer.concat([word(0x0201_4b50), madeBy, common, rest, name]);
  const directoryAt = sealedBytes + local.length + signature.length;
  return Buffer.concat([local, signature, sealedDirectory, line, endOf(count + 1, sealedDirectory.length + line.length, directoryAt)]);
}

function endOf(count: number, directoryBytes: number, directoryAt: number): Buffer {
  const end = Buffer.alloc(END_BYTES);
  end.writeUInt32LE(0x0605_4b50, 0);
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(directoryBytes, 12);
  end.writeUInt32LE(directoryAt, 16);
  return end;
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

async function bytesAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const { bytesRead } = await file.read(bytes, 0, length, position);
  if (bytesRead !== length) throw new Error('the archive became shorter while it was read');
  return bytes;
}
