import { StringDecoder } from 'node:string_decoder';

const KEPT_LINES = 50;
const KEPT_CHARACTERS = 1000;
/** A line that has not ended by then is cut: one endless line must not fill the memory. */
const LONGEST_LINE_CHARACTERS = 64 * 1024;

/** The last lines of a worker's output, oldest first; bounded in number and length. */
export class LineTail {
  readonly #lines: string[] = [];

  add(line: string): void {
    this.#lines.push(line.length > KEPT_CHARACTERS ? line.slice(0, KEPT_CHARACTERS) : line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
  }

  get lines(): readonly string[] {
    return [...this.#lines];
  }

  /** The last line that holds a word, as opposed to a rule of dashes; '' when there is none. */
  get lastWords(): string {
    return this.#lines.findLast((line) => /[a-z]/i.test(line))?.trim() ?? '';
  }
}

/** Cuts a stream of bytes into lines. */
export class LineCutter {
  readonly #decoder = new StringDecoder('utf8');
  #open = '';

  constructor(private readonly line: (line: string) => void) {}

  write(chunk: Uint8Array): void {
    const pieces = (this.#open + this.#decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))).split('\n');
    this.#open = pieces.pop() ?? '';
    for (const piece of pieces) this.line(piece.endsWith('\r') ? piece.slice(0, -1) : piece);
    while (this.#open.length > LONGEST_LINE_CHARACTERS) {
      this.line(this.#open.slice(0, LONGEST_LINE_CHARACTERS));
      this.#open = this.#open.slice(LONGEST_LINE_CHARACTERS);
    }
  }

  /** Gives out what stands without a line end. */
  end(): void {
    if (this.#open !== '') this.line(this.#open);
    this.#open = '';
  }
}
