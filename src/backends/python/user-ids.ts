import { randomInt } from 'node:crypto';

/** User numbers for workers: each is one worker's alone while it lives. Where two servers share a range, they begin at places of their own. */
export class UserIds {
  readonly #taken = new Set<number>();
  #next: number;

  constructor(private readonly range: { readonly first: number; readonly last: number }) {
    this.#next = randomInt(range.first, range.last + 1);
  }

  /** undefined when all are taken. */
  take(): number | undefined {
    const { first, last } = this.range;
    for (let tries = last - first; tries >= 0; tries -= 1) {
      const id = this.#next;
      this.#next = id === last ? first : id + 1;
      if (this.#taken.has(id)) continue;
      this.#taken.add(id);
      return id;
    }
    return undefined;
  }

  give(id: number): void {
    this.#taken.delete(id);
  }
}
