import { describe, expect, it } from 'vitest';
import { fromHalfBits, toHalfBits } from './half-float.js';

describe('half precision', () => {
  it('every half-precision number survives the way to a number and back', () => {
    for (let half = 0; half < 0x10000; half += 1) {
      const value = fromHalfBits(half);
      if (!Number.isNaN(value) && toHalfBits(value) !== half) throw new Error(`${half} came back as ${toHalfBits(value)}`);
    }
  });

  it.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [1e10, 0x7c00],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [3 * 2 ** -26, 0x0001],
    [2049, 0x6800],
    [2051, 0x6802],
    [Number.NEGATIVE_INFINITY, 0xfc00],
  ])('%d becomes the nearest half, ties to even', (value, half) => {
    expect(toHalfBits(value)).toBe(half);
  });

  it('NaN stays NaN', () => {
    expect(fromHalfBits(toHalfBits(Number.NaN))).toBeNaN();
  });
});
