import { describe, expect, it } from 'vitest';
import { parseInputRules } from './parse-rules.js';
import { compilePattern, patternSize } from './pattern.js';

describe('the size of an expression', () => {
  it.each([
    ['abc', 3],
    ['[a-z]{1,50}', 50],
    ['(?:ab){10}', 50],
    ['(a{3}){4}', 16],
    ['\\{9}', 3],
    ['[(]{3}', 3],
    ['a{5,}', 5],
  ])('%s is that of what it stands for', (expression, size) => {
    expect(patternSize(expression)).toBe(size);
  });

  it('IN5 is bounded, before anything is compiled', () => {
    const giant = '(?:abcdefghi){1000}';

    expect(compilePattern(giant)).toContain('more than 10000 places');
    expect(compilePattern('(?:abc){1000}')).toMatchObject({});
    const many = Array.from({ length: 20_000 }, () => '(?:abc){1000}');
    for (const rules of [
      { text: { deny: many } },
      { text: many.map((allow) => ({ allow })) },
      { schema: { allOf: many.slice(0, 1000).map((pattern) => ({ pattern })) } },
    ])
      expect(() => parseInputRules(rules, 'x')).toThrow('more than 50000 places');
  });
});
