import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { binaryOutputsOf, binarySizeOf, mixedBody, mixedBodyOf, rangesOf } from './binary-tensors.js';

const packed = (name: string, size: unknown) => ({ name, parameters: { binary_data_size: size } });

describe('a body of JSON and bytes', () => {
  it('comes apart where it was put together', () => {
    fc.assert(
      fc.property(fc.json(), fc.array(fc.uint8Array()), (json, parts) => {
        const { body, header } = mixedBody(json, parts);

        const mixed = mixedBodyOf([['Other', '1'], header], body);

        if (mixed === undefined || mixed === 'broken') throw new Error('it did not come apart');
        expect(Buffer.from(mixed.json).toString()).toBe(json);
        expect(Buffer.from(mixed.bytes)).toEqual(Buffer.concat(parts));
        const inputs = parts.map((part, index) => packed(`t${index}`, part.byteLength));
        const ranges = rangesOf(inputs, mixed.bytes.byteLength);
        expect(ranges.map((range) => Buffer.from(mixed.bytes.subarray(range?.start, range?.end)))).toEqual(parts.map((part) => Buffer.from(part)));
      }),
    );
  });

  it('is none without the header, and broken where the header fits no such body', () => {
    const body = Buffer.from('{}');

    expect(mixedBodyOf([], body)).toBeUndefined();
    for (const length of ['3', '-1', '1.5', '', 'x', '0x1', '99999999999999999999'])
      expect(mixedBodyOf([['Inference-Header-Content-Length', length]], body)).toBe('broken');
  });
});

describe('where the bytes of inputs are', () => {
  it('leaves those out whose values are in the JSON', () => {
    const ranges = rangesOf([packed('a', 2), { name: 'b', data: [1] }, packed('c', 1)], 3);

    expect(ranges.map((range) => range && [range.name, range.start, range.end])).toEqual([['a', 0, 2], undefined, ['c', 2, 3]]);
  });

  it.each([
    [[packed('a', 4)], 3, 'Input "a": 4 bytes were announced, 3 are there.'],
    [[packed('a', 2)], 3, '1 bytes after the last input belong to none.'],
    [[packed('a', '4')], 4, 'Input "a": "binary_data_size" has to be a whole number of bytes.'],
    [[{ ...packed('a', 4), data: [] }], 4, 'Input "a": its values are in "data" and among the bytes.'],
    [[3], 0, 'Each entry of "inputs" needs a "name".'],
  ])('is refused where it does not add up: %j in %i', (inputs, length, message) => {
    expect(() => rangesOf(inputs, length)).toThrow(message);
  });

  it('a size is a whole number of bytes', () => {
    expect([0, 4, -1, 1.5, '4', null, undefined].map((size) => binarySizeOf({ binary_data_size: size }))).toEqual([0, 4, ...Array(5).fill(undefined)]);
    expect(binarySizeOf(undefined)).toBeUndefined();
  });
});

it('an output says itself whether it wants to be bytes, the request says it for the others', () => {
  const outputs = [{ name: 'yes', parameters: { binary_data: true } }, { name: 'no', parameters: { binary_data: false } }, { name: 'quiet' }];
  const forms = (json: object) => ['yes', 'no', 'quiet', 'other'].map(binaryOutputsOf(json));

  expect(forms({ outputs })).toEqual([true, false, false, false]);
  expect(forms({ outputs, parameters: { binary_data_output: true } })).toEqual([true, false, true, true]);
  expect(forms({})).toEqual([false, false, false, false]);
});
