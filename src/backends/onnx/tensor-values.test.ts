import { describe, expect, it } from 'vitest';
import { BadInput } from '../../errors/backend.js';
import type { ElementType } from './element-type.js';
import type { TensorSpec } from './signature.js';
import { tensorFromBytes, tensorFromJson, tensorFromPacked, tensorFromShapedJson } from './tensor-values.js';

const spec = (type: ElementType, dims: readonly (number | string)[] = ['N', 2]): TensorSpec => ({ name: 'x', type, dims });

function refusal(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (BadInput.is(error)) return error.message;
    throw error;
  }
  return 'taken';
}

describe('values that a type cannot hold are refused by name', () => {
  it.each([
    ['float32', '"1"', 'Input "x": expected float32 of shape [N, 2], which takes numbers, got the string "1".'],
    ['float32', 'null', 'Input "x": expected float32 of shape [N, 2], which takes numbers, got null.'],
    ['float16', 'true', 'Input "x": expected float16 of shape [N, 2], which takes numbers, got true.'],
    ['uint8', '256', 'Input "x": expected uint8 of shape [N, 2], which takes whole numbers from 0 to 255, got 256.'],
    ['int8', '1.5', 'Input "x": expected int8 of shape [N, 2], which takes whole numbers from -128 to 127, got 1.5.'],
    ['int64', '9007199254740993', 'Input "x": expected int64 of shape [N, 2], which takes whole numbers (beyond 2^53 as strings), got 9007199254740992.'],
    ['uint64', '-1', 'Input "x": expected uint64 of shape [N, 2], which takes whole numbers from 0 (beyond 2^53 as strings), got -1.'],
    ['bool', '2', 'Input "x": expected bool of shape [N, 2], which takes true, false, 1 or 0, got 2.'],
    ['string', '1', 'Input "x": expected string of shape [N, 2], which takes strings, got 1.'],
  ] as const)('%s refuses %s', (type, value, message) => {
    expect(refusal(() => tensorFromJson(spec(type), JSON.parse(`[${value}, ${value}]`)))).toBe(message);
  });

  it('a 64-bit number beyond 2^53 comes whole as a string', () => {
    expect(tensorFromJson(spec('int64'), ['9007199254740993', -1]).tensor.data).toEqual(BigInt64Array.of(9007199254740993n, -1n));
  });
});

describe('shapes that do not fit are told as they came', () => {
  it.each([
    [[1, 2, 3], 'Input "x": expected float32 of shape [N, 2], got an array of shape [3].'],
    [[], 'Input "x": expected float32 of shape [N, 2], got an array that holds no plain values.'],
    [{ a: 1 }, 'Input "x": expected float32 of shape [N, 2], got an object.'],
    [[{ a: 1 }], 'Input "x": expected float32 of shape [N, 2], got an array that holds no plain values.'],
    [7, 'Input "x": expected float32 of shape [N, 2], got 7.'],
    [[[1, 2], [3]], 'Input "x": the nested array is uneven: rows of one axis differ in length.'],
    [[[1, 2], 3], 'Input "x": the nested array is uneven: rows of one axis differ in length.'],
  ])('%j', (value, message) => {
    expect(refusal(() => tensorFromJson(spec('float32'), value))).toBe(message);
  });

  it('an array nested a thousand deep is refused, not followed', () => {
    const deep = JSON.parse('['.repeat(1000) + ']'.repeat(1000));

    expect(refusal(() => tensorFromJson(spec('float32'), deep))).toContain('expected float32');
  });

  it('bytes that are no whole number of rows are refused', () => {
    expect(refusal(() => tensorFromBytes(spec('float32'), new Uint8Array(10)))).toContain('got 10 bytes');
  });

  it('shaped values whose count is not their shape are refused', () => {
    expect(refusal(() => tensorFromShapedJson(spec('float32'), [2, 2], [1, 2, 3]))).toBe('Input "x": the shape [2, 2] has 4 values, data has 3.');
  });

  it('shaped values may be flat or nested', () => {
    const flat = tensorFromShapedJson(spec('float32'), [2, 2], [1, 2, 3, 4]);

    expect(
      tensorFromShapedJson(
        spec('float32'),
        [2, 2],
        [
          [1, 2],
          [3, 4],
        ],
      ),
    ).toEqual(flat);
  });
});

describe('tensorFromPacked', () => {
  const floats: TensorSpec = { name: 'x', type: 'float32', dims: ['N', 2] };

  it('takes bytes of the shape that they claim, NaN and unaligned memory included', () => {
    const bytes = Buffer.concat([Buffer.alloc(1), Buffer.from(Float32Array.of(1.5, Number.NaN).buffer)]).subarray(1);

    expect(tensorFromPacked(floats, [1, 2], bytes).tensor).toEqual({ type: 'float32', dims: [1, 2], data: Float32Array.of(1.5, Number.NaN) });
  });

  it('takes strings after their lengths', () => {
    const texts: TensorSpec = { name: 't', type: 'string', dims: ['N'] };

    expect(tensorFromPacked(texts, [1], Uint8Array.of(2, 0, 0, 0, 0x61, 0x62)).tensor.data).toEqual(['ab']);
    expect(() => tensorFromPacked(texts, [1], Uint8Array.of(9, 0, 0, 0))).toThrow('do not add up');
  });

  it('refuses bytes that are not as many as the shape says, and shapes that the input does not take', () => {
    expect(() => tensorFromPacked(floats, [2, 2], Buffer.alloc(8))).toThrow('the shape [2, 2] has 16 bytes, 8 came');
    expect(() => tensorFromPacked(floats, [1, 3], Buffer.alloc(12))).toThrow('got the shape [1, 3]');
  });
});
