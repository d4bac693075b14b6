import { RE2JS } from 're2js';

const MAX_CHARACTERS = 4096;
/** Places of one expression, repetitions written out: it is compiled on the event loop. */
const MAX_SIZE = 10_000;
/** Of all expressions that a model brings, for whoever counts them. */
export const MAX_SIZE_TOGETHER = 50_000;
/** However short it is. */
const LEAST_COST = 20;
/** A quoted text, an escaped character, a class, a count, or any other character. */
const TOKEN = /\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|[^\]\\])*(?:\]|$)|\{(\d+)(?:,(\d*))?\}|./gs;

/** What tells whether an expression is found in a text, or matches all of it. */
export interface Pattern {
  found(text: string): boolean;
  matches(text: string): boolean;
}

/** Compiles an RE2 expression, whose time is linear in the text whatever the text is, and in its own size, which is bounded: no expression of an archive can hold up the server. The reason where it is none. */
export function compilePattern(expression: string): Pattern | string {
  if (expression.length > MAX_CHARACTERS) return `longer than ${MAX_CHARACTERS} characters`;
  if (patternSize(expression) > MAX_SIZE) return `more than ${MAX_SIZE} places, repetitions written out`;
  try {
    const compiled = RE2JS.compile(expression);
    return { found: (text) => compiled.matcher(text).find(), matches: (text) => compiled.matches(text) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** About how many steps the engine takes for each byte of a text. */
export function patternCost(expression: string): number {
  return Math.max(LEAST_COST, patternSize(expression));
}

/** How many places an expression has when its repetitions are written out, which is what the engine does: about as many as its program has instructions. Infinity for one that is too long to be looked at. */
export function patternSize(expression: string): number {
  if (expression.length > MAX_CHARACTERS) return Number.POSITIVE_INFINITY;
  const outer: number[] = [];
  let [sum, last] = [0, 0];
  for (const [token, least, most] of expression.matchAll(TOKEN)) {
    if (token === '(') {
      outer.push(sum);
      sum = 0;
    } else if (token === ')') {
      last = sum + 1;
      sum = (outer.pop() ?? 0) + last;
    } else if (least === undefined) {
      last = token.startsWith('\\Q') ? token.length : 1;
      sum += last;
    } else {
      const times = Math.max(1, Number(least), Number(most ?? 0));
      sum += last * (times - 1);
      last *= times;
    }
  }
  return outer.reduce((all, one) => all + one, sum);
}
