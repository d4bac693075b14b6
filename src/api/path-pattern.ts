import { Invariant } from '../errors/admission.js';
import type { RouteParams } from './route.js';

/** A route's pattern, compiled: matching compares segments one by one and allocates nothing. */
export class PathPattern {
  /** Literal text by position; undefined where a name stands. */
  readonly #literals: readonly (string | undefined)[];
  readonly #indexOfName = new Map<string, number>();
  readonly #takesRest: boolean;

  constructor(readonly text: string) {
    const parts = text.split('/').filter((part) => part !== '');
    this.#takesRest = parts.at(-1) === '*';
    if (this.#takesRest) parts.pop();
    this.#literals = parts.map((part) => (part.startsWith(':') ? undefined : part));
    for (const [index, part] of parts.entries()) if (part.startsWith(':')) this.#indexOfName.set(part.slice(1), index);
  }

  /** The first segment where it is literal, '' for the pattern `/`; undefined where any first segment fits. */
  get firstLiteral(): string | undefined {
    if (this.#literals.length === 0 && !this.#takesRest) return '';
    return this.#literals[0];
  }

  matches(segments: readonly string[]): boolean {
    const literals = this.#literals;
    if (this.#takesRest ? segments.length <= literals.length : segments.length !== literals.length) return false;
    for (let i = 0; i < literals.length; i++) {
      const literal = literals[i];
      if (literal !== undefined && literal !== segments[i]) return false;
    }
    return true;
  }

  params(segments: readonly string[]): RouteParams {
    return new SegmentParams(segments, this.#indexOfName, this.#takesRest ? this.#literals.length : undefined);
  }

  /** Negative when this pattern is to be tried before `other`. */
  compareSpecificity(other: PathPattern): number {
    const length = Math.max(this.#literals.length, other.#literals.length);
    for (let i = 0; i < length; i++) {
      const order = this.#rank(i) - other.#rank(i);
      if (order !== 0) return order;
    }
    return 0;
  }

  #rank(index: number): number {
    if (index >= this.#literals.length) return 2;
    return this.#literals[index] === undefined ? 1 : 0;
  }
}

class SegmentParams implements RouteParams {
  readonly #segments: readonly string[];
  readonly #indexOfName: ReadonlyMap<string, number>;
  readonly #restFrom: number | undefined;

  constructor(segments: readonly string[], indexOfName: ReadonlyMap<string, number>, restFrom: number | undefined) {
    this.#segments = segments;
    this.#indexOfName = indexOfName;
    this.#restFrom = restFrom;
  }

  find(name: string): string | undefined {
    const index = this.#indexOfName.get(name);
    return index === undefined ? undefined : this.#segments[index];
  }

  get(name: string): string {
    const value = this.find(name);
    if (value === undefined) throw Invariant({ what: `the route has no parameter ${name}` });
    return value;
  }

  get rest(): string {
    return this.#restFrom === undefined ? '' : this.#segments.slice(this.#restFrom).join('/');
  }
}
