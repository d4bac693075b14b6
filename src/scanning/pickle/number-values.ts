import { BOOL, type Value } from './value.js';

/** The text of an INT or LONG opcode; NaN where it is too long to matter. */
export function decimal(text: string): Value {
  const digits = text.trim().replace(/L$/, '');
  return digits === '00' || digits === '01' ? BOOL : { kind: 'int', value: /^[+-]?\d{1,15}$/.test(digits) ? Number(digits) : Number.NaN };
}

/** Little-endian two's complement. */
export function longOf(bytes: Buffer): Value {
  if (bytes.length === 0) return { kind: 'int', value: 0 };
  if (bytes.length > 16) return { kind: 'int', value: Number.NaN };
  let value = 0n;
  for (let n = bytes.length - 1; n >= 0; n -= 1) value = (value << 8n) | BigInt(bytes[n] ?? 0);
  return { kind: 'int', value: Number(BigInt.asIntN(bytes.length * 8, value)) };
}
