import type { Readable } from 'node:stream';

/** Counts what arrives of one body. Its reader calls both; a body whose connection is gone needs neither. */
export interface BodyMeter {
  received(bytes: number): void;
  over(): void;
}

/** Holds the bodies that are being read to a least rate: a client that keeps a connection and its memory by a byte now and then is cut off. */
export class BodyRates {
  readonly #watched = new Set<Watched>();
  #timer: NodeJS.Timeout | undefined;

  /** `minBytesPerS` 0 holds nobody to anything. Each `windowMs` counts for itself. */
  constructor(
    private readonly minBytesPerS: number,
    private readonly windowMs: number,
  ) {}

  /** Watches a body from now to its end. `tooSlow` is called at most once. */
  watch(message: Readable, tooSlow: () => void): BodyMeter {
    const watched = new Watched(message, tooSlow, this.#watched);
    if (this.minBytesPerS === 0) return watched;
    this.#watched.add(watched);
    this.#timer ??= setInterval(() => this.#look(), Math.max(10, this.windowMs / 4)).unref();
    return watched;
  }

  #look(): void {
    const nowMs = performance.now();
    for (const watched of this.#watched) {
      if (watched.message.destroyed) {
        watched.over();
        continue;
      }
      const ms = nowMs - watched.sinceMs;
      if (ms < this.windowMs) continue;
      if (watched.receivedBytes * 1000 >= this.minBytesPerS * ms) {
        watched.receivedBytes = 0;
        watched.sinceMs = nowMs;
        continue;
      }
      watched.over();
      watched.tooSlow();
    }
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

class Watched implements BodyMeter {
  receivedBytes = 0;
  sinceMs = performance.now();

  constructor(
    readonly message: Readable,
    readonly tooSlow: () => void,
    private readonly others: Set<Watched>,
  ) {}

  received(bytes: number): void {
    this.receivedBytes += bytes;
  }

  over(): void {
    this.others.delete(this);
  }
}
