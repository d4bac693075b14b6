import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readBytesElements, writeBytesElements } from './bytes-elements.js';

describe('a raw BYTES tensor', () => {
  it('gives back the elements that it was made of', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (elements) => {
        expect(readBytesElements(writeBytesElements(elements))?.map((element) => [...element])).toEqual(elements.map((element) => [...element]));
      }),
    );
  });

  it('has each element after its length in four little-endian bytes', () => {
    expect([...writeBytesElements([Buffer.from('ab'), Buffer.from('')])]).toEqual([2, 0, 0, 0, 0x61, 0x62, 0, 0, 0, 0]);
  });

  it('is refused where a length is cut off or points beyond the end', () => {
    expect(readBytesElements(Uint8Array.of(1, 0, 0))).toBeUndefined();
    expect(readBytesElements(Uint8Array.of(2, 0, 0, 0, 1))).toBeUndefined();
    expect(readBytesElements(Uint8Array.of(255, 255, 255, 255, 1))).toBeUndefined();
  });
});
