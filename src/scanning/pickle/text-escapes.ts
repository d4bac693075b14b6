const SIMPLE: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\u0007',
  b: '\b',
  f: '\f',
  v: '\u000b',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};

/** The text of a STRING opcode, as Python's codecs.escape_decode reads it; undefined where Python would refuse it. */
export function unquoted(text: string): string | undefined {
  const trimmed = text.trim();
  const quote = trimmed[0];
  if (trimmed.length < 2 || (quote !== "'" && quote !== '"') || !trimmed.endsWith(quote)) return undefined;
  return trimmed.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|[\s\S])/g, (whole, coded: string) => {
    if (/^x./.test(coded)) return String.fromCharCode(Number.parseInt(coded.slice(1), 16));
    if (/^[0-7]/.test(coded)) return String.fromCharCode(Number.parseInt(coded, 8) & 0xff);
    return SIMPLE[coded] ?? whole;
  });
}

/** The text of a UNICODE opcode: raw-unicode-escape, where two backslashes stay two. */
export function unescapedUnicode(text: string): string {
  return text.replace(/\\\\|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (whole, short: string | undefined, long: string | undefined) => {
    if (short === undefined && long === undefined) return whole;
    const code = Number.parseInt(short ?? long ?? '', 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}
