import fc from 'fast-check';
import { expect, it } from 'vitest';
import { matchesPattern } from '../inference/principal.js';
import { commonName } from './common-name.js';

it.each([
  ['acme-*', 'b-*', undefined],
  ['acme-*', 'acme-iris', 'acme-iris'],
  ['a*', '*b', 'ab'],
  ['a?c', 'ab*', 'abc'],
  ['*-prod', 'acme-*', 'acme-prod'],
  ['a', 'a', 'a'],
  ['a', 'b', undefined],
  ['a?', 'a', undefined],
  ['*', '*', ''],
  ['a*b*c', '?x?', undefined],
  ['a*b*c', '??b?c', 'abbxc'],
])('%s and %s: %s', (one, other, name) => {
  expect(commonName(one, other)).toBe(name);
  expect(commonName(other, one)?.length).toBe(name?.length);
});

it('finds a name exactly where there is one', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?'), maxLength: 6 });
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'x'), maxLength: 6 });
  fc.assert(
    fc.property(pattern, pattern, name, (one, other, some) => {
      const found = commonName(one, other);

      if (found === undefined) expect(matchesPattern(one, some) && matchesPattern(other, some)).toBe(false);
      else expect([matchesPattern(one, found), matchesPattern(other, found)]).toEqual([true, true]);
    }),
    { numRuns: 3000 },
  );
});

it('the longest patterns take no time to speak of', () => {
  const [one, other] = ['*a'.repeat(128), '*b'.repeat(127)];

  expect(commonName(one, `${other}?c`)).toBeUndefined();
});
