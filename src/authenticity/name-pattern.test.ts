import { describe, expect, it } from 'vitest';
import { fits, fitsAny } from './name-pattern.js';

describe('a pattern', () => {
  it.each([
    ['resnet', 'resnet', true],
    ['resnet', 'resnet5', false],
    ['*', '', true],
    ['res*', 'resnet', true],
    ['*net', 'resnet', true],
    ['r*n*t', 'resnet', true],
    ['r*n*t', 'resnets', false],
    ['a*b', 'ab', true],
    ['a.c', 'abc', false],
    ['[a]*', 'a', false],
    ['email:*@example.org', 'email:ann@example.org', true],
    ['email:*@example.org', 'email:ann@example.org.evil', false],
  ])('%s and %s: %s', (pattern, text, expected) => {
    expect(fits(text, pattern)).toBe(expected);
    expect(fitsAny(text, ['nothing', pattern])).toBe(expected);
  });

  it('of many stars does not take long over a text that nearly fits', () => {
    expect(fits('a'.repeat(20_000), `${'*a'.repeat(200)}*b`)).toBe(false);
  });
});
