/**
 * JSON as Gson's lenient reader takes it, which TorchServe's users rely on: single quotes, names and words without quotes, `=` or `=>` for `:`, `;` for `,`,
 * trailing commas and comments. Throws SyntaxError with the position. Depth is bounded.
 */
export function parseLenientJson(text: string): unknown {
  const reader = new LenientReader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

const MAX_DEPTH = 100;
const WORD_END = new Set(['/', '\\', ';', '#', '=', '{', '}', '[', ']', ':', ',', ' ', '\t', '\n', '\r', '\f', '']);
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', f: '\f' };

class LenientReader {
  #at = 0;

  constructor(private readonly text: string) {}

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw this.#wrong('nested too deeply');
    const next = this.#peek();
    if (next === '{') return this.#object(depth);
    if (next === '[') return this.#array(depth);
    if (next === '"' || next === "'") return this.#quoted(next);
    return literal(this.#word());
  }

  end(): void {
    if (this.#peek() !== '') throw this.#wrong('something after the end');
  }

  #object(depth: number): Record<string, unknown> {
    this.#at += 1;
    const object: Record<string, unknown> = Object.create(null);
    for (;;) {
      const next = this.#peek();
      if (next === '}') break;
      const name = next === '"' || next === "'" ? this.#quoted(next) : this.#word();
      const colon = this.#peek();
      if (colon !== ':' && colon !== '=') throw this.#wrong('no colon after a name');
      this.#at += colon === '=' && this.text.charAt(this.#at + 1) === '>' ? 2 : 1;
      object[name] = this.value(depth + 1);
      if (!this.#separator('}')) break;
    }
    this.#at += 1;
    return { ...object };
  }

  #array(depth: number): unknown[] {
    this.#at += 1;
    const items: unknown[] = [];
    for (;;) {
      if (this.#peek() === ']') break;
      items.push(this.value(depth + 1));
      if (!this.#separator(']')) break;
    }
    this.#at += 1;
    return items;
  }

  /** True when another item may follow. */
  #separator(close: string): boolean {
    const next = this.#peek();
    if (next === close) return false;
    if (next !== ',' && next !== ';') throw this.#wrong(`neither a comma nor ${close}`);
    this.#at += 1;
    return true;
  }

  #quoted(quote: string): string {
    let out = '';
    for (this.#at += 1; this.#at < this.text.length; this.#at += 1) {
      const char = this.text.charAt(this.#at);
      if (char === quote) {
        this.#at += 1;
        return out;
      }
      out += char === '\\' ? this.#escape() : char;
    }
    throw this.#wrong('a string without an end');
  }

  #escape(): string {
    this.#at += 1;
    const char = this.text.charAt(this.#at);
    if (char !== 'u') return ESCAPES[char] ?? char;
    const digits = this.text.slice(this.#at + 1, this.#at + 5);
    if (!/^[0-9a-f]{4}$/i.test(digits)) throw this.#wrong('a broken escape');
    this.#at += 4;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #word(): string {
    this.#peek();
    const start = this.#at;
    while (!WORD_END.has(this.text.charAt(this.#at))) this.#at += 1;
    if (this.#at === start) throw this.#wrong(this.#at < this.text.length ? `unexpected ${this.text.charAt(this.#at)}` : 'it ends too early');
    return this.text.slice(start, this.#at);
  }

  /** Skips blanks and comments and gives the next character, '' at the end. */
  #peek(): string {
    for (;;) {
      const blank = /[\s\ufeff]*(?:\/\/[^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/)?/y;
      blank.lastIndex = this.#at;
      const length = blank.exec(this.text)?.[0].length ?? 0;
      if (length === 0) return this.text.charAt(this.#at);
      this.#at += length;
    }
  }

  #wrong(what: string): SyntaxError {
    return new SyntaxError(`Malformed JSON at character ${this.#at}: ${what}`);
  }
}

function literal(word: string): unknown {
  const lower = word.toLowerCase();
  if (lower === 'true') return true;
  if (lower === 'false') return false;
  if (lower === 'null') return null;
  // Numbers as JSON has them and no others: 007 is a name, as it is for Gson.
  return /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(word) ? Number(word) : word;
}
