import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Bytes that can be read from anywhere. Reads are synchronous: a scan runs on a thread of its own. */
export interface ByteSource {
  readonly sizeBytes: number;
  /** At most `length` bytes from `offset`; fewer at the end, none behind it. The buffer is the caller's to read, not to write. */
  read(offset: number, length: number): Buffer;
}

/** An open file. */
export class FileBytes implements ByteSource {
  readonly sizeBytes: number;

  private constructor(private readonly descriptor: number) {
    this.sizeBytes = fstatSync(descriptor).size;
  }

  /** Opens a file; `close` must be called. */
  static open(path: string): FileBytes {
    return new FileBytes(openSync(path, 'r'));
  }

  read(offset: number, length: number): Buffer {
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, this.sizeBytes - offset)));
    let filled = 0;
    while (filled < buffer.length) {
      const count = readSync(this.descriptor, buffer, filled, buffer.length - filled, offset + filled);
      if (count === 0) break;
      filled += count;
    }
    return buffer.subarray(0, filled);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** What lies in memory. */
export class MemoryBytes implements ByteSource {
  constructor(private readonly bytes: Buffer) {}

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(offset: number, length: number): Buffer {
    return this.bytes.subarray(offset, offset + Math.max(0, length));
  }
}

/** A stretch of another source, cut off where that one ends. */
export class Stretch implements ByteSource {
  readonly sizeBytes: number;

  constructor(
    private readonly whole: ByteSource,
    private readonly start: number,
    length: number,
  ) {
    this.sizeBytes = Math.max(0, Math.min(length, whole.sizeBytes - start));
  }

  read(offset: number, length: number): Buffer {
    return this.whole.read(this.start + offset, Math.max(0, Math.min(length, this.sizeBytes - offset)));
  }
}

/** Offsets at which `needle` begins, in order; read in pieces, within the first `withinBytes`. */
export function* occurrences(source: ByteSource, needle: Buffer, from = 0, withinBytes = source.sizeBytes): Generator<number> {
  const PIECE = 1 << 20;
  const end = Math.min(source.sizeBytes, withinBytes);
  for (let start = from; start < end; start += PIECE) {
    const piece = source.read(start, Math.min(PIECE + needle.length - 1, end - start));
    for (let at = piece.indexOf(needle); at >= 0 && at < PIECE; at = piece.indexOf(needle, at + 1)) yield start + at;
  }
}
