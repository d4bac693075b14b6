import { RE2JS } from 're2js';

const MAX_CHARACTERS = 4096;

/** What tells whether an expression is found in a text, or matches all of it. */
export interface Pattern {
  found(text: string): boolean;
  matches(text: string): boolean;
}

/** Compiles an RE2 expression, whose time is linear in the text whatever the text is: no expression of an archive can hold up the server. The reason where it is none. */
export function compilePattern(expression: string): Pattern | string {
  if (expression.length > MAX_CHARACTERS) return `longer than ${MAX_CHARACTERS} characters`;
  try {
    const compiled = RE2JS.compile(expression);
    return { found: (text) => compiled.matcher(text).find(), matches: (text) => compiled.matches(text) };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
