/** TorchServe's retry delays in seconds; the last one repeats. */
const DELAYS_S = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597] as const;
/** From this many failures in a row on, a waiting caller is better told than kept. */
const HOPELESS_AFTER = 3;

/**
 * When to try again, and when to give up: the window opens at the first stop since the last successful load and closes `windowMs` later.
 * A successful load resets it. Pure: the caller passes the time.
 */
export class BackOff {
  #failures = 0;
  #firstStopAtMs: number | undefined;

  constructor(private readonly windowMs: number) {}

  /** Counts a stop and gives the delay before the next try in ms, or undefined when the window is used up. */
  next(nowMs: number): number | undefined {
    this.#firstStopAtMs ??= nowMs;
    if (nowMs - this.#firstStopAtMs > this.windowMs) return undefined;
    const delayS = DELAYS_S[Math.min(this.#failures, DELAYS_S.length - 1)] ?? 1;
    this.#failures += 1;
    return delayS * 1000;
  }

  /** False once it has failed several times in a row: its requests shouldn't wait for it. */
  get hopeful(): boolean {
    return this.#failures < HOPELESS_AFTER;
  }

  /** It has stopped since its last successful load. */
  get recovering(): boolean {
    return this.#firstStopAtMs !== undefined;
  }

  reset(): void {
    this.#failures = 0;
    this.#firstStopAtMs = undefined;
  }
}
