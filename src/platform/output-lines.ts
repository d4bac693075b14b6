const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Longest line in bytes that is handed on whole. */
const MAX_LINE_BYTES = 64 * 1024;

/**
 * Splits the output of a process into lines at LF, CR LF and CR (progress bars). A line longer than `maxLineBytes` comes in pieces of at most that size,
 * cut between characters where the text is UTF-8. Holds never more than one unfinished piece.
 */
export class OutputLines {
  readonly #pending: Buffer;
  #filled = 0;
  #skipLineFeed = false;

  constructor(
    private readonly take: (line: string) => void,
    private readonly maxLineBytes = MAX_LINE_BYTES,
  ) {
    this.#pending = Buffer.allocUnsafe(maxLineBytes);
  }

  push(chunk: Buffer): void {
    let at = 0;
    if (this.#skipLineFeed && chunk[0] === LINE_FEED) at = 1;
    if (chunk.length > 0) this.#skipLineFeed = false;
    while (at < chunk.length) {
      const end = nextBreak(chunk, at);
      this.#append(chunk, at, end);
      if (end === chunk.length) return;
      this.#flush(this.#filled);
      at = end + 1;
      if (chunk[end] !== CARRIAGE_RETURN) continue;
      if (at === chunk.length) this.#skipLineFeed = true;
      else if (chunk[at] === LINE_FEED) at += 1;
    }
  }

  /** The output has ended: what is left is a line too. */
  end(): void {
    if (this.#filled > 0) this.#flush(this.#filled);
  }

  #append(chunk: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      if (this.#filled === this.maxLineBytes) this.#flush(wholeCharacters(this.#pending, this.#filled));
      const copied = chunk.copy(this.#pending, this.#filled, at, end);
      this.#filled += copied;
      at += copied;
    }
  }

  #flush(length: number): void {
    this.take(this.#pending.toString('utf8', 0, length));
    this.#pending.copyWithin(0, length, this.#filled);
    this.#filled -= length;
  }
}

function nextBreak(chunk: Buffer, from: number): number {
  const lineFeed = chunk.indexOf(LINE_FEED, from);
  const end = lineFeed < 0 ? chunk.length : lineFeed;
  const carriageReturn = chunk.subarray(from, end).indexOf(CARRIAGE_RETURN);
  return carriageReturn < 0 ? end : from + carriageReturn;
}

/** How much of the first `length` bytes are whole UTF-8 characters; all of it where that can't be told. */
function wholeCharacters(bytes: Buffer, length: number): number {
  for (let back = 1; back <= Math.min(4, length - 1); back += 1) {
    const byte = bytes[length - back] ?? 0;
    if (byte < 0x80) return length;
    if (byte < 0xc0) continue;
    const wanted = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return wanted > back ? length - back : length;
  }
  return length;
}
