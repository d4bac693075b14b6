/** One timer per purpose: a new one replaces the one before. Once closed, none is set any more. */
export class NamedTimers {
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #closed = false;

  after(purpose: string, ms: number, act: () => void): void {
    if (this.#closed) return;
    this.clear(purpose);
    this.#timers.set(purpose, setTimeout(act, ms));
  }

  clear(purpose: string): void {
    clearTimeout(this.#timers.get(purpose));
    this.#timers.delete(purpose);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }
}
