import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATATYPES, packValues, type TensorValue, unpackValues } from './datatype.js';

function of(name: string) {
  const datatype = DATATYPES.get(name);
  if (datatype === undefined) throw new Error(`no ${name}`);
  return datatype;
}

const VALUES: Readonly<Record<string, fc.Arbitrary<TensorValue>>> = {
  BOOL: fc.boolean(),
  INT8: fc.integer({ min: -128, max: 127 }),
  INT16: fc.integer({ min: -32768, max: 32767 }),
  INT32: fc.integer(),
  INT64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  UINT8: fc.integer({ min: 0, max: 255 }),
  UINT16: fc.integer({ min: 0, max: 65535 }),
  UINT32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  UINT64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  FP16: fc.constantFrom(0, -0, 0.5, -2, 65504, Number.POSITIVE_INFINITY, Number.NaN),
  FP32: fc.float(),
  FP64: fc.double(),
};

describe.each([...DATATYPES.keys()])('%s', (name) => {
  it('comes out of bytes as it went in', () => {
    fc.assert(
      fc.property(fc.array(VALUES[name] ?? fc.integer()), (values) => {
        expect(unpackValues(of(name), packValues(of(name), values))).toEqual(values);
        expect(values.map((value) => of(name).fit(value))).toEqual(values);
      }),
    );
  });

  it('is no part of a value', () => {
    const { sizeBytes } = of(name);

    expect(unpackValues(of(name), new Uint8Array(sizeBytes * 2 + 1))?.length).toBe(sizeBytes === 1 ? 3 : undefined);
  });
});

it('is little endian, at any place in memory', () => {
  expect([...packValues(of('INT32'), [1])]).toEqual([1, 0, 0, 0]);
  expect([...packValues(of('FP16'), [1])]).toEqual([0x00, 0x3c]);
  expect(unpackValues(of('FP64'), Buffer.concat([Buffer.alloc(1), packValues(of('FP64'), [1.5])]).subarray(1))).toEqual([1.5]);
});

it.each([
  ['INT8', 128],
  ['INT8', 1.5],
  ['UINT8', -1],
  ['UINT32', 2 ** 32],
  ['INT64', '9223372036854775808'],
  ['UINT64', -1n],
  ['INT32', 'one'],
  ['BOOL', 2],
  ['BOOL', 'true'],
  ['FP32', 'one'],
  ['FP32', []],
])('%s cannot hold %s', (name, value) => {
  expect(of(name).fit(value)).toBeUndefined();
});

it('reads the words that JSON has no numbers for', () => {
  expect(of('INT64').fit('9223372036854775807')).toBe(2n ** 63n - 1n);
  expect(['NaN', 'Infinity', '-Infinity', null].map((value) => of('FP32').fit(value))).toEqual([NaN, Infinity, -Infinity, NaN]);
});
