import type { Value } from './value.js';

/** joblib's wrapper, whose array follows its state in the stream. */
export const ARRAY_WRAPPER = 'joblib.numpy_pickle.NumpyArrayWrapper';

/** Bytes of one element by the letter of numpy's type codes where no size is written. */
const BARE: Readonly<Record<string, number>> = {
  '?': 1,
  b: 1,
  B: 1,
  h: 2,
  H: 2,
  i: 4,
  I: 4,
  l: 8,
  L: 8,
  q: 8,
  Q: 8,
  e: 2,
  f: 4,
  d: 8,
  g: 16,
  F: 8,
  D: 16,
  G: 32,
};

/** How a joblib array lies behind its wrapper. */
export type ArrayLayout = { readonly kind: 'raw'; readonly bytes: number; readonly isAligned: boolean } | { readonly kind: 'pickled' };

/** Reads the state of joblib's NumpyArrayWrapper; undefined where it doesn't tell what follows. */
export function arrayLayout(state: Value | undefined): ArrayLayout | undefined {
  if (state?.kind !== 'dict') return undefined;
  const [shape, dtype, alignment] = ['shape', 'dtype', 'numpy_array_alignment_bytes'].map((key) => state.items.get(key));
  if (dtype?.kind !== 'object' || dtype.of.module !== 'numpy' || dtype.of.name !== 'dtype') return undefined;
  const code = dtype.args[0];
  if (code?.kind !== 'text' || code.value === undefined) return undefined;
  if (/^[|<>=]?O/.test(code.value)) return { kind: 'pickled' };
  const elementBytes = elementSize(code.value);
  if (elementBytes === undefined || shape?.kind !== 'tuple' || shape.count > shape.items.length) return undefined;
  let bytes = elementBytes;
  for (const side of shape.items) {
    if (side.kind !== 'int' || !(side.value >= 0)) return undefined;
    bytes *= side.value;
  }
  return { kind: 'raw', bytes, isAligned: alignment !== undefined && alignment.kind !== 'none' };
}

function elementSize(code: string): number | undefined {
  const [, letter = '', digits = ''] = /^[|<>=]?([?a-zA-Z])(\d*)$/.exec(code) ?? [];
  if (letter === 'U') return Number(digits) * 4;
  return digits === '' ? BARE[letter] : Number(digits);
}
