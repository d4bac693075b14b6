import { InputRefused } from '../errors/inputs.js';
import type { JsonRules } from '../inference/input-rules.js';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = new Set([0x5b, 0x7b]);
const CLOSE = new Set([0x5d, 0x7d]);
const OPEN_OBJECT = 0x7b;
const COLON = 0x3a;

/**
 * Walks over the bytes of a JSON text and holds it to its bounds before anything of it is built. What is no JSON is left to the reader that comes after.
 * Throws InputRefused, 413 for a bound and 400 for a key that stands twice.
 */
export function checkJsonLimits(bytes: Uint8Array, rules: JsonRules): void {
  const objects: (Set<string> | undefined)[] = [];
  let keys = 0;
  let number = 0;
  const over = (rule: string, limit: number): Error => InputRefused({ status: 413, place: `byte ${at}`, rule, what: `more than ${limit}` });
  let at = 0;
  while (at < bytes.byteLength) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) {
      const start = at + 1;
      at = endOfString(bytes, start);
      if (at - start > rules.maxStringBytes) throw over('json.maxStringBytes', rules.maxStringBytes);
      at += 1;
      number = 0;
      if (!isKey(bytes, at)) continue;
      keys += 1;
      if (keys > rules.maxKeys) throw over('json.maxKeys', rules.maxKeys);
      const seen = objects.at(-1);
      if (seen === undefined || rules.duplicateKeys === 'last') continue;
      const key = keyOf(bytes.subarray(start, at - 1));
      if (seen.has(key)) throw InputRefused({ status: 400, place: `byte ${start}`, rule: 'json.duplicateKeys', what: 'a key stands twice in one object' });
      seen.add(key);
      continue;
    }
    if (OPEN.has(byte)) {
      objects.push(byte === OPEN_OBJECT ? new Set() : undefined);
      if (objects.length > rules.maxDepth) throw over('json.maxDepth', rules.maxDepth);
    } else if (CLOSE.has(byte)) objects.pop();
    number = isOfNumber(byte) ? number + 1 : 0;
    if (number > rules.maxNumberCharacters) throw over('json.maxNumberCharacters', rules.maxNumberCharacters);
    at += 1;
  }
}

/** At the closing quote, or the end of what is cut off. */
function endOfString(bytes: Uint8Array, start: number): number {
  for (let at = start; at < bytes.byteLength; at += 1) {
    if (bytes[at] === BACKSLASH) at += 1;
    else if (bytes[at] === QUOTE) return at;
  }
  return bytes.byteLength;
}

function isKey(bytes: Uint8Array, after: number): boolean {
  let at = after;
  while (bytes[at] === 0x20 || bytes[at] === 0x09 || bytes[at] === 0x0a || bytes[at] === 0x0d) at += 1;
  return bytes[at] === COLON;
}

/** As the reader will see it: two spellings of one key are one key. */
function keyOf(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
  if (!text.includes('\\')) return text;
  try {
    return String(JSON.parse(`"${text}"`));
  } catch {
    return text;
  }
}

function isOfNumber(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || byte === 0x2b || byte === 0x2d || byte === 0x2e || byte === 0x45 || byte === 0x65;
}
