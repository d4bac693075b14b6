import { memberOf } from '../inference/binary-tensors.js';
import { exactNumber } from '../inference/exact-json.js';

/** A string somewhere in a JSON value, and how to put another in its place. */
export interface TextPlace {
  /** JSON pointer (RFC 6901). */
  readonly place: string;
  readonly text: string;
  put(text: string): void;
}

/** A box around a value, so that the value itself can be replaced. */
export interface Box {
  value: unknown;
}

/** The strings at the pointers, where `*` stands for any member; with no pointer every string, keys apart. */
export function textPlaces(box: Box, pointers: readonly string[]): readonly TextPlace[] {
  const found: TextPlace[] = [];
  if (pointers.length === 0) every(box, 'value', '', found);
  for (const pointer of pointers) along(box, 'value', pointer.split('/').slice(1), '', found);
  return found;
}

function every(holder: object, key: string, place: string, found: TextPlace[]): void {
  const value = memberOf(holder, key);
  if (typeof value === 'string' && exactNumber(value) === undefined) found.push({ place, text: value, put: (text) => void Reflect.set(holder, key, text) });
  if (typeof value !== 'object' || value === null) return;
  for (const member of Object.keys(value)) every(value, member, `${place}/${escaped(member)}`, found);
}

function along(holder: object, key: string, rest: readonly string[], place: string, found: TextPlace[]): void {
  const [next, ...further] = rest;
  if (next === undefined) return every(holder, key, place, found);
  const value = memberOf(holder, key);
  if (typeof value !== 'object' || value === null) return;
  const members = next === '*' ? Object.keys(value) : [next.replaceAll('~1', '/').replaceAll('~0', '~')];
  for (const member of members) if (Object.hasOwn(value, member)) along(value, member, further, `${place}/${escaped(member)}`, found);
}

function escaped(member: string): string {
  return member.replaceAll('~', '~0').replaceAll('/', '~1');
}
