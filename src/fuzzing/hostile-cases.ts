import fc from 'fast-check';
import { type FuzzCase, jsonCase } from './fuzz-case.js';

const TYPES = ['application/json', 'text/plain', 'application/octet-stream', 'image/png', 'image/jpeg', 'application/x-www-form-urlencoded', ''];
const TEXTS = [
  '',
  ' ',
  '\u0000',
  '\ufeff',
  '\u202eabc',
  '\ud800',
  '%s%n',
  '../../etc/passwd',
  '$' + '{jndi:ldap://x}',
  '<script>',
  "' OR 1=1 --",
  'x'.repeat(100_000),
  '👩‍👩‍👧'.repeat(100),
  'a\u0301'.repeat(500),
];
const NUMBERS = [0, -0, -1, 1e308, -1e308, 5e-324, 2 ** 53, Number.NaN, Infinity];

/** Values at the edges of what JSON can say, in the places of a value that the model is known to take. */
export function boundaryCases(sample: unknown): fc.Arbitrary<FuzzCase> {
  const odd = fc.oneof(
    fc.constantFrom<unknown>(null, true, false, [], {}, ...TEXTS, ...NUMBERS),
    fc.jsonValue({ maxDepth: 3 }),
    fc.integer({ min: 1, max: 60 }).map(nested),
    fc.constantFrom('__proto__', 'constructor', 'length').map((key) => JSON.parse(`{"${key}": {"x": 1}}`)),
  );
  const places = placesOf(sample);
  const changed = fc.tuple(fc.constantFrom(...places), odd).map(([place, value]) => replaced(sample, place, value));
  const without = fc.constantFrom(...places).map((place) => replaced(sample, place, undefined));
  return fc.oneof(odd, changed, without).map((value) => jsonCase('boundary', value));
}

/** Bytes of any kind under any type. */
export function byteCases(): fc.Arbitrary<FuzzCase> {
  const heads = fc.constantFrom(
    '',
    '89504e470d0a1a0a0000000d49484452',
    'ffd8ffe000104a46',
    '47494638396101000100',
    '504b0304',
    '80049500',
    '7b22',
    '93554d5059',
  );
  return fc
    .record({ type: fc.constantFrom(...TYPES), head: heads, bytes: fc.uint8Array({ maxLength: 512 }) })
    .map(({ type, head, bytes }) => ({ family: 'bytes', contentType: type, body: Buffer.concat([Buffer.from(head, 'hex'), bytes]) }));
}

function nested(depth: number): unknown {
  return Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 1);
}

type Place = readonly (string | number)[];

function placesOf(value: unknown, place: Place = []): readonly Place[] {
  if (typeof value !== 'object' || value === null || place.length > 6) return [place];
  return [
    place,
    ...Object.entries(value)
      .slice(0, 8)
      .flatMap(([key, member]) => placesOf(member, [...place, Array.isArray(value) ? Number(key) : key])),
  ];
}

/** A copy with another value at a place; undefined takes it away. */
function replaced(value: unknown, [key, ...rest]: Place, by: unknown): unknown {
  if (key === undefined) return by ?? null;
  if (Array.isArray(value))
    return value.flatMap((member, index) => (index !== key ? [member] : rest.length === 0 && by === undefined ? [] : [replaced(member, rest, by)]));
  const entries = Object.entries(value ?? {});
  return Object.fromEntries(
    entries.flatMap(([name, member]) => (name !== key ? [[name, member]] : rest.length === 0 && by === undefined ? [] : [[name, replaced(member, rest, by)]])),
  );
}
