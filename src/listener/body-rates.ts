import type { Readable } from 'node:stream';

interface Watched {
  receivedBytes: number;
  sinceMs: number;
  readonly tooSlow: () => void;
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
  watch(message: Readable, tooSlow: () => void): void {
    if (this.minBytesPerS === 0) return;
    const watched: Watched = { receivedBytes: 0, sinceMs: performance.now(), tooSlow };
    this.#watched.add(watched);
    message.on('data', (chunk: Buffer) => {
      watched.receivedBytes += chunk.length;
    });
    const over = (): void => void this.#watched.delete(watched);
    message.once('end', over);
    message.once('close', over);
    this.#timer ??= setInterval(() => this.#look(), Math.max(10, this.windowMs / 4)).unref();
  }

  #look(): void {
    const nowMs = performance.now();
    for (const watched of this.#watched) {
      if (nowMs - watched.sinceMs < this.windowMs) continue;
      if (watched.receivedBytes * 1000 >= this.minBytesPerS * (nowMs - watched.sinceMs)) {
        watched.receivedBytes = 0;
        watched.sinceMs = nowMs;
        continue;
      }
      this.#watched.delete(watched);
      watched.tooSlow();
    }
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
