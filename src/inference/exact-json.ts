/** No text of a client can hold it by chance or by intent. */
const MARK = `\u0000${crypto.randomUUID()}:`;
const MARKED = new RegExp(`"\\\\u0000${MARK.slice(1)}([^"]*)"`, 'g');
/** Whole numbers that JavaScript would round, and the words that Python has for numbers that JSON lacks. Digits behind a point or in an exponent are none. */
const TO_BE_KEPT = /(?<![\w.+-])(?:-?\d{16,}(?![\d.eE])|-?Infinity|NaN)/;
const ALL_TO_BE_KEPT = new RegExp(TO_BE_KEPT, 'g');

/**
 * JSON as Python writes it. Whole numbers of 16 digits and more, NaN and the infinities stand in the value as tokens: `exactNumber` reads them and
 * `writeExactJson` writes them as they were. Throws SyntaxError.
 */
export function parseExactJson(text: string): unknown {
  return JSON.parse(isPlainJson(text) ? text : withMarks(text));
}

/** Whether `parseExactJson` gives of a text what JSON.parse gives: nothing in it stands as a token. */
export function isPlainJson(text: string): boolean {
  return !TO_BE_KEPT.test(text);
}

/** The text of a number that was too long for JavaScript, or `NaN` and the like; undefined for any other value. */
export function exactNumber(value: unknown): string | undefined {
  return typeof value === 'string' && value.startsWith(MARK) ? value.slice(MARK.length) : undefined;
}

/** A value that `writeExactJson` writes as this very text: JSON without a string in it. */
export function exactJson(text: string): unknown {
  return MARK + text;
}

/** Compact JSON with exact numbers as they were. */
export function writeExactJson(value: unknown): string {
  return JSON.stringify(value).replace(MARKED, '$1');
}

/** Marks the numbers between the strings. A walk and no pattern: a string may be as long as a body. */
function withMarks(text: string): string {
  const pieces: string[] = [];
  let at = 0;
  while (at < text.length) {
    const quote = text.indexOf('"', at);
    const between = text.slice(at, quote === -1 ? text.length : quote);
    pieces.push(between.replace(ALL_TO_BE_KEPT, (token) => JSON.stringify(MARK + token)));
    if (quote === -1) break;
    at = endOfString(text, quote);
    pieces.push(text.slice(quote, at));
  }
  return pieces.join('');
}

/** One behind the closing quote of the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0;
    while (text[at - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return at + 1;
  }
  return text.length;
}
