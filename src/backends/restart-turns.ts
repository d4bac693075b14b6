/**
 * How many of one tenant's workers load again at the same time after they have ended. Each tenant has its own: a worker that ends again and again keeps those of
 * the same tenant waiting, and nobody else's. Invariant: a start is called once, or taken back before.
 */
export class RestartTurns {
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly atOnce: number) {}

  /** Calls `start` now or later. What is given ends the turn, or takes the start back; it may be called again. */
  take(start: () => void): () => void {
    let state: 'waiting' | 'started' | 'over' = 'waiting';
    const begin = () => {
      state = 'started';
      start();
    };
    const end = () => {
      const before = state;
      state = 'over';
      if (before === 'started') this.#give();
      if (before === 'waiting') this.#waiting.splice(this.#waiting.indexOf(begin), 1);
    };
    if (this.#taken < this.atOnce) {
      this.#taken += 1;
      begin();
    } else this.#waiting.push(begin);
    return end;
  }

  #give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken -= 1;
    else next();
  }
}
