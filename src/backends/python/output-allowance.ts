/** What may come at once, in seconds of the rate. */
const BURST_S = 16;
/** What a line costs in the log beside its text: time, level, thread. */
const LINE_BYTES = 128;

/**
 * How much of a stream still goes to the log: so much a second, saved up to 16 s of it, and whatever is granted for work done.
 * Without a rate it is never spent.
 */
export class OutputAllowance {
  #bytes: number;
  #atMs = performance.now();

  constructor(private readonly bytesPerS: number | undefined) {
    this.#bytes = this.#most;
  }

  get isSpent(): boolean {
    const nowMs = performance.now();
    this.#bytes = Math.min(this.#most, this.#bytes + ((nowMs - this.#atMs) / 1000) * (this.bytesPerS ?? 0));
    this.#atMs = nowMs;
    return this.#bytes <= 0;
  }

  spend(line: string): void {
    this.#bytes -= line.length + LINE_BYTES;
  }

  grant(bytes: number): void {
    this.#bytes = Math.min(this.#most, this.#bytes + bytes);
  }

  get #most(): number {
    return this.bytesPerS === undefined ? Number.POSITIVE_INFINITY : this.bytesPerS * BURST_S;
  }
}
