import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { join, split } from './batching.js';
import { ELEMENT_FORMATS, type ElementType, isElementType } from './element-type.js';
import type { RunItem } from './request-items.js';
import { tensorFromBytes, tensorFromJson } from './tensor-values.js';
import { type Tensor, toNestedJson, toNumbers, toRawBytes } from './tensors.js';

const TYPES: readonly ElementType[] = Object.keys(ELEMENT_FORMATS).filter(isElementType);

/** Values that every element type can hold. */
function aTensor(type: ElementType, rows: number, rest: readonly number[], seed: number): Tensor {
  const count = rows * rest.reduce((a, b) => a * b, 1);
  const data = ELEMENT_FORMATS[type].create(count);
  const values = Array.from({ length: count }, (_, index) => (type === 'string' ? `s${seed + index}` : (seed + index) % 2));
  ELEMENT_FORMATS[type].put(data, values, 0);
  return { type, dims: [rows, ...rest], data };
}

const shapes = fc.record({
  type: fc.constantFrom(...TYPES),
  rest: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 3 }),
  rows: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }),
});

describe('join and split', () => {
  it('items that were joined come apart as they were', () => {
    fc.assert(
      fc.property(shapes, ({ type, rest, rows }) => {
        const items = rows.map((count, index): RunItem => ({ feeds: new Map([['x', aTensor(type, count, rest, index)]]), rows: count, added: false }));

        const joined = join(items);
        const parts = split(joined, items);

        expect(joined.get('x')?.dims[0]).toBe(rows.reduce((a, b) => a + b, 0));
        expect(parts?.map((part) => part.get('x'))).toEqual(items.map((item) => item.feeds.get('x')));
      }),
    );
  });

  it('an output without a row per row asked cannot be split', () => {
    const item: RunItem = { feeds: new Map(), rows: 2, added: false };

    expect(split(new Map([['y', aTensor('float32', 3, [1], 0)]]), [item])).toBeUndefined();
  });
});

describe('JSON and bytes', () => {
  it('a tensor written as nested JSON reads back the same', () => {
    fc.assert(
      fc.property(shapes, ({ type, rest, rows: [rows = 1] }) => {
        const tensor = aTensor(type, rows, rest, 1);

        const back = tensorFromJson({ name: 'x', type, dims: tensor.dims.map(() => '') }, JSON.parse(toNestedJson(tensor)));

        expect(back.tensor).toEqual(tensor);
      }),
    );
  });

  it('a tensor written as bytes reads back the same, wherever the bytes lie', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 7 }), ({ type, rest, rows: [rows = 1] }, offset) => {
        if (type === 'string') return;
        const tensor = aTensor(type, rows, rest, 1);
        const raw = toRawBytes(tensor) ?? new Uint8Array();
        const memory = new Uint8Array(raw.length + offset);
        memory.set(raw, offset);

        const back = tensorFromBytes({ name: 'x', type, dims: ['N', ...rest] }, memory.subarray(offset));

        expect(back.tensor).toEqual(tensor);
      }),
    );
  });

  it('NaN and infinities are null, as JSON has no word for them', () => {
    expect(toNestedJson({ type: 'float32', dims: [3], data: Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, 1) })).toBe('[null,null,1]');
  });

  it('whole numbers beyond 2^53 are strings', () => {
    expect(toNestedJson({ type: 'int64', dims: [2], data: BigInt64Array.of(7n, 9007199254740993n) })).toBe('[7,"9007199254740993"]');
  });

  it('a tensor without axes is a bare value', () => {
    expect(toNestedJson({ type: 'bool', dims: [], data: Uint8Array.of(1) })).toBe('true');
  });

  it('halves are decoded to numbers, strings have none', () => {
    expect(toNumbers({ type: 'float16', dims: [1], data: Uint16Array.of(0x3e00) })).toEqual(Float64Array.of(1.5));
    expect(toNumbers({ type: 'string', dims: [1], data: ['a'] })).toBeUndefined();
  });
});
