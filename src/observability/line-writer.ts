/** Somewhere lines go. */
export interface LineSink {
  write(text: string): void;
}

const PERIOD_MS = 50;
/** Enough for every line to be there before a client that makes one request after another looks for it. */
const BLOCKS_A_PERIOD = 4;
const FLUSH_AT_CHARS = 64 * 1024;
/** When whoever reads is slower than whoever writes, lines beyond this are dropped and counted rather than kept in memory. */
const MAX_WAITING_CHARS = 16 * 1024 * 1024;

/**
 * Gathers lines and hands them on in blocks: what comes in one turn of the event loop together, right after it; under load what comes in up to 50 ms, as
 * each block is a system call. `flush` hands on what is there; call it before the process ends.
 */
export class LineWriter {
  #waiting: string[] = [];
  #waitingChars = 0;
  #dropped = 0;
  #cancel: (() => void) | undefined;
  #periodAtMs = Number.NEGATIVE_INFINITY;
  #blocks = 0;

  constructor(private readonly sink: LineSink) {}

  line(text: string): void {
    if (this.#waitingChars > MAX_WAITING_CHARS) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(text);
    this.#waitingChars += text.length + 1;
    if (this.#waitingChars >= FLUSH_AT_CHARS) return this.flush();
    this.#cancel ??= this.#schedule();
  }

  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#waiting.length === 0) return;
    if (this.#dropped > 0) this.#waiting.push(`(${this.#dropped} lines were dropped: the log could not keep up)`);
    const block = `${this.#waiting.join('\n')}\n`;
    this.#waiting = [];
    this.#waitingChars = 0;
    this.#dropped = 0;
    this.sink.write(block);
  }

  #schedule(): () => void {
    const nowMs = performance.now();
    if (nowMs - this.#periodAtMs >= PERIOD_MS) {
      this.#periodAtMs = nowMs;
      this.#blocks = 0;
    }
    this.#blocks += 1;
    if (this.#blocks <= BLOCKS_A_PERIOD) {
      const immediate = setImmediate(() => this.flush()).unref();
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(() => this.flush(), this.#periodAtMs + PERIOD_MS - nowMs).unref();
    return () => clearTimeout(timer);
  }
}
