import { type Holding, type WeightOf, whoMakesRoom } from './fair-share.js';

/** Lines without anybody in them are kept up to this many: making one for each arrival would cost more. */
const KEPT_LINES = 256;

/**
 * Those who wait, in deficit round robin between tenants and in the order of arrival within one.
 *
 *  a tenant's line  event → next                                         promise while here
 *  empty            somebody comes → last in the round                   it saves up no turns
 *  in the round     its turn → first in the round                        so many go in a turn as its weight says; a fraction is kept for its next
 *  first            its part is used up → last, nobody is left → empty   it is the one that `first` and the order of iteration begin with
 *
 * Invariant: between two tenants that both wait, what each got for its weight differs by no more than one turn. All operations are O(1), but for `roomFor`,
 * which looks at each tenant that waits. Nothing is accounted while one tenant waits alone.
 */
export class FairRound<T> implements Iterable<T> {
  readonly #lines = new Map<string, Line<T>>();
  /** Lines with somebody in them, in the order of their turns. */
  readonly #round = new Set<Line<T>>();
  #size = 0;

  constructor(private readonly weightOf: WeightOf) {}

  get size(): number {
    return this.#size;
  }

  add(tenant: string, item: T): void {
    const line = this.#lineOf(tenant);
    line.add(item);
    this.#size += 1;
    if (line.held === 1) this.#round.add(line);
  }

  /** It waits no longer, without having had its turn. False when it didn't wait. */
  delete(tenant: string, item: T): boolean {
    const line = this.#lines.get(tenant);
    if (line === undefined || !line.waiting.delete(item)) return false;
    this.#size -= 1;
    if (line.held === 0) this.#leave(line);
    return true;
  }

  /** It goes now, and its tenant's turn counts it. In the order of iteration; false when it didn't wait. */
  serve(tenant: string, item: T): boolean {
    const line = this.#lines.get(tenant);
    if (line === undefined) return false;
    const isAlone = this.#round.size === 1;
    if (!this.delete(tenant, item)) return false;
    if (isAlone || line.held === 0) return true;
    line.beginTurn();
    line.credit -= 1;
    if (line.credit < 1) this.#toTheBack(line);
    return true;
  }

  /** Whose turn it is. */
  first(): T | undefined {
    for (const line of this.#round) return line.first();
    return undefined;
  }

  /** The one of each tenant that has waited longest. */
  *firsts(): Generator<T> {
    for (const line of this.#round) yield* line.firsts();
  }

  /** The one that has to leave so that another of this tenant may come: the newest of the tenant that is furthest above its part. undefined: none has to. */
  roomFor(tenant: string): { readonly tenant: string; readonly item: T } | undefined {
    const above = whoMakesRoom(this.#lineOf(tenant), this.#round);
    const item = above?.newest();
    return above === undefined || item === undefined ? undefined : { tenant: above.tenant, item };
  }

  /** In the order in which they go. Some may leave meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    if (this.#round.size === 1) for (const line of this.#round) return yield* line.waiting;
    const turns = [...this.#round].map((line) => ({ line, credit: line.credit, waiting: line.waiting.values() }));
    for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
      if (turn.credit < 1) turn.credit += turn.line.weight;
      let next: IteratorResult<T> | undefined;
      while (turn.credit >= 1 && !next?.done) {
        next = turn.waiting.next();
        if (next.done) break;
        turn.credit -= 1;
        yield next.value;
      }
      if (!next?.done) turns.push(turn);
    }
  }

  #lineOf(tenant: string): Line<T> {
    const known = this.#lines.get(tenant);
    if (known !== undefined) return known;
    const line = new Line<T>(tenant, Math.max(1, this.weightOf(tenant)));
    this.#lines.set(tenant, line);
    if (this.#lines.size > KEPT_LINES) for (const [name, { held }] of this.#lines) if (held === 0 && name !== tenant) this.#lines.delete(name);
    return line;
  }

  #leave(line: Line<T>): void {
    this.#round.delete(line);
    line.rest();
  }

  #toTheBack(line: Line<T>): void {
    this.#round.delete(line);
    this.#round.add(line);
  }
}

/** Those of one tenant. */
class Line<T> implements Holding {
  readonly waiting = new Set<T>();
  /** How many more may go in this turn; below 1 the turn is over, or hasn't begun. */
  credit = 0;
  /** Those that wait and some that don't any more, oldest first; made when the newest is first asked for. */
  #byAge: T[] | undefined;

  constructor(
    readonly tenant: string,
    readonly weight: number,
  ) {}

  get held(): number {
    return this.waiting.size;
  }

  add(item: T): void {
    this.waiting.add(item);
    if (this.#byAge === undefined) return;
    if (this.#byAge.length > 2 * this.waiting.size) this.#byAge = undefined;
    else this.#byAge.push(item);
  }

  beginTurn(): void {
    if (this.credit < 1) this.credit += this.weight;
  }

  /** Nobody is left. */
  rest(): void {
    this.credit = 0;
    this.#byAge = undefined;
  }

  first(): T | undefined {
    for (const item of this.waiting) return item;
    return undefined;
  }

  *firsts(): Generator<T> {
    for (const item of this.waiting) return yield item;
  }

  newest(): T | undefined {
    this.#byAge ??= [...this.waiting];
    while (this.#byAge.length > 0) {
      const last = this.#byAge.at(-1);
      if (last !== undefined && this.waiting.has(last)) return last;
      this.#byAge.pop();
    }
    return undefined;
  }
}
