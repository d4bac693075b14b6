import { ANYTHING, type Value } from './value.js';

/** The stream wants more memory than any honest one does. */
export class StreamLimit extends Error {}

/** The stack, the marks and the memo of an unpickler. Taking what isn't there gives a value that nothing may be done with. */
export class PickleStack {
  /** It took from an empty stack or an unwritten memo: an unpickler would have given up. */
  isBroken = false;
  #stack: Value[] = [];
  readonly #marks: Value[][] = [];
  readonly #memo: (Value | undefined)[] = [];
  /** Entries that are written, which is where MEMOIZE puts the next. */
  #memoized = 0;

  /** `limit`: values on the stack, marks, and places in the memo. */
  constructor(private readonly limit: number) {}

  mark(): void {
    this.#marks.push(this.#stack);
    this.#stack = [];
    if (this.#marks.length > this.limit) throw new StreamLimit();
  }

  /** Python's POP takes a mark where nothing lies above it. */
  drop(): void {
    if (this.#stack.length === 0 && this.#marks.length > 0) this.popMark();
    else this.pop();
  }

  memoize(): void {
    this.put(this.#memoized);
  }

  get last(): Value | undefined {
    return this.#stack.at(-1);
  }

  push(value: Value): void {
    this.#stack.push(value);
    if (this.#stack.length > this.limit) throw new StreamLimit();
  }

  pop(): Value {
    const value = this.#stack.pop();
    if (value !== undefined) return value;
    this.isBroken = true;
    return ANYTHING;
  }

  top(): Value {
    const value = this.#stack.at(-1);
    if (value === undefined) this.isBroken = true;
    return value ?? ANYTHING;
  }

  /** In the order in which they were pushed. */
  popMany(count: number): Value[] {
    const values: Value[] = [];
    for (let n = 0; n < count; n += 1) values.unshift(this.pop());
    return values;
  }

  popMark(): Value[] {
    const items = this.#stack;
    const below = this.#marks.pop();
    if (below === undefined) this.isBroken = true;
    this.#stack = below ?? [];
    return items;
  }

  put(index: number): void {
    const value = this.top();
    if (!Number.isInteger(index) || index < 0) {
      this.isBroken = true;
      return;
    }
    // An unpickler makes room for every index below.
    if (index > this.limit) throw new StreamLimit();
    while (this.#memo.length < index) this.#memo.push(undefined);
    if (this.#memo[index] === undefined) this.#memoized += 1;
    this.#memo[index] = value;
  }

  get(index: number): void {
    const value = this.#memo[index];
    if (value === undefined) this.isBroken = true;
    this.push(value ?? ANYTHING);
  }
}
