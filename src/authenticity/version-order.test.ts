import { describe, expect, it } from 'vitest';
import { isAtLeast } from './version-order.js';

describe('a version', () => {
  it.each([
    ['1.10', '1.9', true],
    ['1.9', '1.10', false],
    ['2', '1.9.9', true],
    ['1.2.0', '1.2', true],
    ['1.2', '1.2.0', true],
    ['v2.0', '2.0', true],
    ['1.0-beta', '0.9', undefined],
    ['latest', '1', undefined],
    ['1.0', 'latest', undefined],
    ['99999999999999999999', '1', undefined],
  ])('%s is at least %s: %s', (version, minimum, expected) => {
    expect(isAtLeast(version, minimum)).toBe(expected);
  });
});
