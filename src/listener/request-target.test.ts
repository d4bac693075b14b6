import { describe, expect, it } from 'vitest';
import { IllegalArgument } from '../errors/admission.js';
import { pathOf, queryOf, segmentsOf } from './request-target.js';

describe('pathOf', () => {
  it('ends at ? or #, and drops scheme and authority', () => {
    expect(pathOf('/a/b?c=/d')).toBe('/a/b');
    expect(pathOf('/a#b?c')).toBe('/a');
    expect(pathOf('HTTP://host:80/a?b')).toBe('/a');
    expect(pathOf('http://host')).toBe('');
    expect(pathOf('*')).toBe('*');
  });
});

describe('segmentsOf', () => {
  const cases: Readonly<Record<string, readonly string[]>> = {
    '/': [],
    '': [],
    '*': ['*'],
    '/ping': ['ping'],
    '/ping//': ['ping'],
    '/a//b': ['a', '', 'b'],
    '//a': ['', 'a'],
    '/a%2Fb/c%2f': ['a', 'b', 'c'],
    '/a+b%20c': ['a+b c'],
    '/%C3%BC': ['ü'],
    '/%ff%C3%BC': ['\ufffdü'],
    '/..%2f..': ['..', '..'],
  };
  for (const [path, segments] of Object.entries(cases)) {
    it(`splits ${JSON.stringify(path)} into ${JSON.stringify(segments)}`, () => {
      expect(segmentsOf(path)).toEqual(segments);
    });
  }

  it('refuses a % without two hex digits and says where', () => {
    const refused = (path: string) => expect(() => segmentsOf(path)).toThrow(expect.toSatisfy((error) => IllegalArgument.is(error)));
    for (const path of ['/%', '/%2', '/%g0', '/a%%20']) refused(path);
    expect(() => segmentsOf('/a%zz')).toThrow("invalid hex byte 'zz' at index 3 of '/a%zz'");
    expect(() => segmentsOf('/a%2')).toThrow('unterminated escape sequence at index 2 of: /a%2');
  });
});

describe('queryOf', () => {
  it('gives the decoded pairs up to #', () => {
    expect([...queryOf('/a?b=1+2&b=%C3%BC&c#d=e')]).toEqual([
      ['b', '1 2'],
      ['b', 'ü'],
      ['c', ''],
    ]);
    expect([...queryOf('/a')]).toEqual([]);
  });

  it('refuses a broken escape', () => {
    expect(() => queryOf('/a?b=%')).toThrow(expect.toSatisfy((error) => IllegalArgument.is(error)));
  });
});
