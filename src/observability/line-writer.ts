/** Somewhere lines go. */
export interface LineSink {
  write(text: string): void;
}

const FLUSH_AFTER_MS = 50;
const FLUSH_AT_CHARS = 64 * 1024;
/** When whoever reads is slower than whoever writes, lines beyond this are dropped and counted rather than kept in memory. */
const MAX_WAITING_CHARS = 16 * 1024 * 1024;

/**
 * Gathers lines and hands them on in blocks: one system call per block instead of one per line. A line is at most 50 ms late.
 * `flush` hands on what is there; call it before the process ends.
 */
export class LineWriter {
  #waiting: string[] = [];
  #waitingChars = 0;
  #dropped = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly sink: LineSink) {}

  line(text: string): void {
    if (this.#waitingChars > MAX_WAITING_CHARS) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(text);
    this.#waitingChars += text.length + 1;
    if (this.#waitingChars >= FLUSH_AT_CHARS) return this.flush();
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS).unref();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    if (this.#dropped > 0) this.#waiting.push(`(${this.#dropped} lines were dropped: the log could not keep up)`);
    const block = `${this.#waiting.join('\n')}\n`;
    this.#waiting = [];
    this.#waitingChars = 0;
    this.#dropped = 0;
    this.sink.write(block);
  }
}
