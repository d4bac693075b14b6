import type { ByteSource } from '../byte-source.js';

const PIECE_BYTES = 1 << 16;

/** The stream ended inside an opcode. */
export class StreamEnded extends Error {}

/** Reads a source from front to back. What is skipped is never read: a string of gigabytes costs nothing. */
export class ByteCursor {
  #piece: Buffer = Buffer.alloc(0);
  #pieceStart = 0;

  constructor(
    private readonly source: ByteSource,
    public position: number,
  ) {}

  /** The next byte. Throws StreamEnded. */
  byte(): number {
    const value = this.#piece[this.position - this.#pieceStart];
    if (value !== undefined) {
      this.position += 1;
      return value;
    }
    this.#piece = this.source.read(this.position, PIECE_BYTES);
    this.#pieceStart = this.position;
    const first = this.#piece[0];
    if (first === undefined) throw new StreamEnded();
    this.position += 1;
    return first;
  }

  /** The next `length` bytes. Throws StreamEnded. */
  take(length: number): Buffer {
    const start = this.position - this.#pieceStart;
    const inPiece = start >= 0 && start + length <= this.#piece.length;
    const bytes = inPiece ? this.#piece.subarray(start, start + length) : this.source.read(this.position, length);
    if (bytes.length < length) throw new StreamEnded();
    this.position += length;
    return bytes;
  }

  /** Throws StreamEnded where there are fewer bytes than that. */
  skip(length: number): void {
    if (this.position + length > this.source.sizeBytes) throw new StreamEnded();
    this.position += length;
  }

  uint32(): number {
    return this.take(4).readUInt32LE(0);
  }

  /** More than a source can hold where it is more than a number can. */
  uint64(): number {
    return Number(this.take(8).readBigUInt64LE(0));
  }

  /** Up to and without the next line feed, at most `maxBytes` of it; the rest of the line is skipped. Throws StreamEnded where there is no line feed. */
  line(maxBytes: number): { readonly text: Buffer; readonly isWhole: boolean } {
    const kept: Buffer[] = [];
    let keptBytes = 0;
    for (;;) {
      const piece = this.source.read(this.position, PIECE_BYTES);
      if (piece.length === 0) throw new StreamEnded();
      const end = piece.indexOf(10);
      const part = end < 0 ? piece : piece.subarray(0, end);
      if (keptBytes <= maxBytes) kept.push(part.subarray(0, maxBytes - keptBytes));
      keptBytes += part.length;
      this.position += end < 0 ? piece.length : end + 1;
      if (end >= 0) return { text: Buffer.concat(kept), isWhole: keptBytes <= maxBytes };
    }
  }
}
