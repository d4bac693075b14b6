interface Held {
  readonly weight: number;
  running: number;
  readonly waiting: (() => void)[];
}

/** Tenants that hold nothing are forgotten beyond this many. */
const KEPT = 256;

/**
 * Places to compute at, shared by tenants. A tenant alone has no bound; while several want to compute, one beyond its part waits until a place is free, and one
 * that has nothing running never waits: however long the others compute, it goes on. Invariants: each start is called once, and `give` once for each start that
 * was called; nobody waits while a place is free. Starts of one tenant are called in their order.
 */
export class FairPlaces {
  readonly #tenants = new Map<string, Held>();
  #running = 0;

  constructor(
    private readonly places: number,
    private readonly weightOf: (tenant: string) => number,
  ) {}

  /** Calls `start` now or later. Gives a way to take it back, which is false when it has started. */
  take(tenant: string, start: () => void): () => boolean {
    const held = this.#heldBy(tenant);
    if (held.waiting.length === 0 && this.#mayStart(held)) {
      this.#start(held, start);
      return () => false;
    }
    held.waiting.push(start);
    return () => {
      const at = held.waiting.indexOf(start);
      if (at >= 0) held.waiting.splice(at, 1);
      return at >= 0;
    };
  }

  give(tenant: string): void {
    const held = this.#heldBy(tenant);
    held.running -= 1;
    this.#running -= 1;
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const start = next.waiting.shift();
      if (start !== undefined) this.#start(next, start);
    }
  }

  /** The one with the least for its weight of those that wait and may start. */
  #next(): Held | undefined {
    let least: Held | undefined;
    for (const held of this.#tenants.values()) {
      if (held.waiting.length === 0 || !this.#mayStart(held)) continue;
      if (least === undefined || held.running * least.weight < least.running * held.weight) least = held;
    }
    return least;
  }

  #mayStart(held: Held): boolean {
    if (held.running === 0 || this.#running < this.places) return true;
    let weights = held.weight;
    for (const one of this.#tenants.values()) if (one !== held && (one.running > 0 || one.waiting.length > 0)) weights += one.weight;
    return weights === held.weight || (held.running + 1) * weights <= this.places * held.weight;
  }

  #start(held: Held, start: () => void): void {
    held.running += 1;
    this.#running += 1;
    start();
  }

  #heldBy(tenant: string): Held {
    const known = this.#tenants.get(tenant);
    if (known !== undefined) return known;
    const held: Held = { weight: Math.max(1, this.weightOf(tenant)), running: 0, waiting: [] };
    this.#tenants.set(tenant, held);
    if (this.#tenants.size > KEPT) {
      for (const [name, { running, waiting }] of this.#tenants) if (name !== tenant && running === 0 && waiting.length === 0) this.#tenants.delete(name);
    }
    return held;
  }
}
