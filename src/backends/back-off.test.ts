import { describe, expect, it } from 'vitest';
import { BackOff } from './back-off.js';

describe('back-off', () => {
  it('waits 1, 1, 2, 3, 5, 8 seconds and stays at the longest delay', () => {
    const backOff = new BackOff(Number.POSITIVE_INFINITY);

    const delays = Array.from({ length: 20 }, () => backOff.next(0));

    expect(delays.slice(0, 6)).toEqual([1000, 1000, 2000, 3000, 5000, 8000]);
    expect(delays.at(-1)).toBe(1_597_000);
  });

  it('gives up when the window since the first stop is over', () => {
    const backOff = new BackOff(300_000);

    expect(backOff.next(1_000)).toBe(1000);
    expect(backOff.next(301_000)).toBe(1000);
    expect(backOff.next(301_001)).toBeUndefined();
  });

  it('a successful load opens a new window and starts the delays anew', () => {
    const backOff = new BackOff(10);
    backOff.next(0);
    backOff.next(5);
    backOff.next(6);
    expect(backOff.hopeful).toBe(false);

    backOff.reset();

    expect(backOff.hopeful).toBe(true);
    expect(backOff.next(1_000_000)).toBe(1000);
  });
});
