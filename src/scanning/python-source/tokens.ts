/** A token of Python source. Comments and blank space are none. */
export interface Token {
  readonly kind: 'name' | 'text' | 'number' | 'sign' | 'line-end';
  readonly text: string;
  /** From 1. */
  readonly line: number;
  /** It stands first in its line and is not indented. */
  readonly isTopLevel: boolean;
}

const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy;
const NUMBER = /\.?\d[\w.]*/y;
const PREFIX = /^(?:[rbuft]|[rt]b|b[rt]|fr|rf|rt|tr)$/i;

/** Tokens of Python source, as far as findings need them. Never throws: what is no Python gives tokens of no use. */
export function* pythonTokens(source: string): Generator<Token> {
  let at = 0;
  let line = 1;
  let lineStart = 0;
  while (at < source.length) {
    const char = source[at] ?? '';
    if (char === '\n') {
      yield { kind: 'line-end', text: '\n', line, isTopLevel: false };
      at += 1;
      line += 1;
      lineStart = at;
      continue;
    }
    if (char === '#') {
      const end = source.indexOf('\n', at);
      at = end < 0 ? source.length : end;
      continue;
    }
    if (char === '\\' && source[at + 1] === '\n') {
      at += 2;
      line += 1;
      lineStart = at;
      continue;
    }
    const here = { line, isTopLevel: at === lineStart };
    NAME.lastIndex = at;
    const name = NAME.exec(source)?.[0];
    if (name !== undefined) {
      const quote = source[at + name.length];
      if (PREFIX.test(name) && (quote === '"' || quote === "'")) {
        at += name.length;
      } else {
        // Python reads names by their compatible form.
        yield { kind: 'name', text: name.normalize('NFKC'), ...here };
        at += name.length;
        continue;
      }
    }
    const first = source[at] ?? '';
    if (first === '"' || first === "'") {
      const end = endOfText(source, at, first);
      const text = source.slice(at, end);
      yield { kind: 'text', text, ...here };
      for (let n = text.indexOf('\n'); n >= 0; n = text.indexOf('\n', n + 1)) {
        line += 1;
        lineStart = at + n + 1;
      }
      at = end;
      continue;
    }
    NUMBER.lastIndex = at;
    const number = NUMBER.exec(source)?.[0];
    if (number !== undefined) {
      yield { kind: 'number', text: number, ...here };
      at += number.length;
      continue;
    }
    if (!/\s/.test(first)) yield { kind: 'sign', text: first, ...here };
    at += 1;
  }
}

/** Behind the closing quote, or the end of the line or file where there is none. */
function endOfText(source: string, start: number, quote: string): number {
  const isLong = source.startsWith(quote.repeat(3), start);
  const close = isLong ? quote.repeat(3) : quote;
  for (let at = start + close.length; at < source.length; at += 1) {
    if (source[at] === '\\') at += 1;
    else if (source.startsWith(close, at)) return at + close.length;
    else if (!isLong && source[at] === '\n') return at;
  }
  return source.length;
}
