import fc from 'fast-check';

/** A tensor as the model's metadata tells of it: -1 for a length that may be any. */
export interface TensorSpec {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
}

const MAX_ELEMENTS = 4096;
const LENGTHS = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 3 }) },
  { weight: 1, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: 4, max: 64 }) },
);
const INTEGERS: Readonly<Record<string, readonly [number, number]>> = {
  INT8: [-128, 127],
  INT16: [-32_768, 32_767],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  UINT8: [0, 255],
  UINT16: [0, 65_535],
  UINT32: [0, 2 ** 32 - 1],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
};

/** Open Inference requests with every tensor of a model: lengths, extremes, NaN and the infinities among the values. */
export function tensorRequests(specs: readonly TensorSpec[]): fc.Arbitrary<unknown> {
  return fc.tuple(...specs.map(tensor)).map((inputs) => ({ inputs }));
}

function tensor({ name, datatype, shape }: TensorSpec): fc.Arbitrary<unknown> {
  return fc.tuple(...shape.map((length) => (length === -1 ? LENGTHS : fc.constant(length)))).chain((lengths) => {
    const elements = Math.min(
      MAX_ELEMENTS,
      lengths.reduce((product, length) => product * length, 1),
    );
    return fc.array(elementsOf(datatype), { minLength: elements, maxLength: elements }).map((data) => ({ name, datatype, shape: lengths, data }));
  });
}

function elementsOf(datatype: string): fc.Arbitrary<unknown> {
  const range = INTEGERS[datatype];
  if (range !== undefined) return fc.integer({ min: range[0], max: range[1] });
  if (datatype === 'BOOL') return fc.boolean();
  if (datatype === 'BYTES') return fc.string({ unit: 'grapheme', maxLength: 64 });
  const usual = fc.double({ min: -10, max: 10, noNaN: true });
  return fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(0, -0, 3.4e38, -3.4e38, 1e-45, Number.NaN, Infinity, -Infinity) });
}
