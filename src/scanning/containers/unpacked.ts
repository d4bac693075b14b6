import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import zlib from 'node:zlib';
import bzip from 'seek-bzip';
import xzDecompress from 'xz-decompress';
import { type ByteSource, FileBytes, MemoryBytes } from '../byte-source.js';
import { type ScanBudget, ScanLimitReached } from '../scan-budget.js';

export type Packing = 'deflate' | 'gzip' | 'zlib' | 'bzip2' | 'xz' | 'zstd';

/** What cannot be unpacked to its end. What came out before that was given. */
class PackingBroken extends Error {}

const IN_MEMORY_BYTES = 64 * 2 ** 20;
const PIECE_BYTES = 1 << 20;
/** Its unpacker gives all at once. */
const MAX_BZIP2_BYTES = 2 ** 30;

/**
 * Unpacks a content and gives the result to `use`; it is gone when that ends. Small ones stay in memory, others lie in a file that has no name for others. `why` tells
 * what ended the unpacking before its end. Throws ScanLimitReached.
 */
export async function withUnpacked(
  packed: ByteSource,
  packing: Packing,
  budget: ScanBudget,
  use: (unpacked: ByteSource, why: string | undefined) => Promise<void>,
): Promise<void> {
  const spill = new Spill();
  try {
    let why: string | undefined;
    try {
      for await (const piece of piecesOf(packed, packing, budget)) {
        budget.unpacked(piece.length);
        spill.write(piece);
      }
    } catch (error) {
      if (!(error instanceof PackingBroken)) throw error;
      why = error.message;
    }
    await use(spill.source(), why);
  } finally {
    spill.close();
  }
}

function piecesOf(packed: ByteSource, packing: Packing, budget: ScanBudget): AsyncIterable<Buffer> {
  switch (packing) {
    case 'deflate':
      return through(packed, zlib.createInflateRaw());
    case 'gzip':
      return through(packed, zlib.createGunzip());
    case 'zlib':
      return through(packed, zlib.createInflate());
    case 'bzip2':
      return bzip2(packed, budget);
    case 'xz':
      return xz(packed);
    case 'zstd':
      return zstd(packed);
  }
}

function* read(packed: ByteSource): Generator<Buffer> {
  for (let at = 0; at < packed.sizeBytes; at += PIECE_BYTES) yield Buffer.from(packed.read(at, PIECE_BYTES));
}

async function* through(packed: ByteSource, transform: NodeJS.ReadWriteStream & AsyncIterable<unknown>): AsyncGenerator<Buffer> {
  const input = Readable.from(read(packed), { objectMode: false });
  input.on('error', () => undefined);
  input.pipe(transform);
  try {
    for await (const piece of transform) yield piece as Buffer;
  } catch (error) {
    throw new PackingBroken(messageOf(error));
  } finally {
    input.destroy();
  }
}

/** Counted byte by byte, so that a bomb is stopped early. */
async function* bzip2(packed: ByteSource, budget: ScanBudget): AsyncGenerator<Buffer> {
  const pieces: Buffer[] = [];
  let filled: number[] = [];
  let total = 0;
  const output = {
    writeByte(byte: number): void {
      filled.push(byte);
      if (filled.length < PIECE_BYTES) return;
      total += filled.length;
      if (total > MAX_BZIP2_BYTES) throw new ScanLimitReached(`more than ${MAX_BZIP2_BYTES} bytes of bzip2`);
      budget.time();
      pieces.push(Buffer.from(filled));
      filled = [];
    },
  };
  let broken: unknown;
  try {
    bzip.decode(packed.read(0, packed.sizeBytes), output, true);
  } catch (error) {
    if (error instanceof Error && 'errorCode' in error) broken = error;
    else throw error;
  }
  yield* pieces;
  yield Buffer.from(filled);
  if (broken !== undefined) throw new PackingBroken(messageOf(broken));
}

async function* xz(packed: ByteSource): AsyncGenerator<Buffer> {
  const input = Readable.toWeb(Readable.from(read(packed), { objectMode: false }));
  const reader = new xzDecompress.XzReadableStream(input as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield Buffer.from(value);
    }
  } catch (error) {
    throw new PackingBroken(messageOf(error));
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Node can from 22.15 on. */
async function* zstd(packed: ByteSource): AsyncGenerator<Buffer> {
  const create: unknown = Reflect.get(zlib, 'createZstdDecompress');
  if (typeof create !== 'function') throw new PackingBroken('this Node.js cannot unpack zstd (22.15 and newer can)');
  yield* through(packed, create() as NodeJS.ReadWriteStream & AsyncIterable<unknown>);
}

/** Bytes in memory, then in a file. */
class Spill {
  readonly #pieces: Buffer[] = [];
  #bytes = 0;
  #folder: string | undefined;
  #descriptor: number | undefined;
  #file: FileBytes | undefined;

  write(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#descriptor === undefined && this.#bytes <= IN_MEMORY_BYTES) {
      this.#pieces.push(piece);
      return;
    }
    const descriptor = this.#descriptor ?? this.#open();
    writeWhole(descriptor, piece);
  }

  source(): ByteSource {
    if (this.#folder === undefined) return new MemoryBytes(Buffer.concat(this.#pieces));
    this.#file = FileBytes.open(join(this.#folder, 'content'));
    return this.#file;
  }

  close(): void {
    this.#file?.close();
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  #open(): number {
    this.#folder = mkdtempSync(join(tmpdir(), 'sconce-scan-'));
    this.#descriptor = openSync(join(this.#folder, 'content'), 'wx', 0o600);
    for (const piece of this.#pieces.splice(0)) writeWhole(this.#descriptor, piece);
    return this.#descriptor;
  }
}

function writeWhole(descriptor: number, piece: Buffer): void {
  for (let written = 0; written < piece.length; ) written += writeSync(descriptor, piece, written);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
