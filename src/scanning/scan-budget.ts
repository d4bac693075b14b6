/** What the scan of one model may cost. */
export interface ScanLimits {
  /** Of pickles, all together. */
  readonly opcodes: number;
  /** Entries of one pickle's memo, and values on its stack. */
  readonly memo: number;
  /** Containers in containers, and pickles in pickles. */
  readonly nesting: number;
  /** Members of containers, all together. */
  readonly members: number;
  /** What compressed content may unpack to, all together. */
  readonly unpackedBytes: number;
  readonly timeMs: number;
}

export const SCAN_LIMITS: ScanLimits = {
  opcodes: 40_000_000,
  memo: 4_000_000,
  nesting: 8,
  members: 200_000,
  unpackedBytes: 8 * 2 ** 30,
  timeMs: 180_000,
};

/** A limit of a scan that was reached: what lies behind it has not been seen. */
export class ScanLimitReached extends Error {}

/** Keeps count of a scan; throws ScanLimitReached at the first step over a limit. */
export class ScanBudget {
  #opcodes = 0;
  #members = 0;
  #unpackedBytes = 0;
  readonly #deadlineMs: number;

  constructor(
    readonly limits: ScanLimits,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#deadlineMs = now() + limits.timeMs;
  }

  opcodes(count: number): void {
    this.#opcodes += count;
    if (this.#opcodes > this.limits.opcodes) throw new ScanLimitReached(`more than ${this.limits.opcodes} pickle opcodes`);
    this.time();
  }

  member(): void {
    this.#members += 1;
    if (this.#members > this.limits.members) throw new ScanLimitReached(`more than ${this.limits.members} files in containers`);
    this.time();
  }

  unpacked(count: number): void {
    this.#unpackedBytes += count;
    if (this.#unpackedBytes > this.limits.unpackedBytes) throw new ScanLimitReached(`more than ${this.limits.unpackedBytes} bytes when unpacked`);
    this.time();
  }

  nesting(depth: number): void {
    if (depth > this.limits.nesting) throw new ScanLimitReached(`containers more than ${this.limits.nesting} deep`);
  }

  time(): void {
    if (this.now() > this.#deadlineMs) throw new ScanLimitReached(`more than ${this.limits.timeMs / 1000} s of scanning`);
  }
}
