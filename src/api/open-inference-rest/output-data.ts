import { DATATYPES, type Datatype, type TensorValue } from '../../inference/datatype.js';
import { exactNumber, writeExactJson } from '../../inference/exact-json.js';

/** What stands in an output's `data`. `unfit` is the first value that the datatype can't hold. */
export type OutputData =
  | { readonly kind: 'elements'; readonly elements: readonly Uint8Array[] }
  | { readonly kind: 'values'; readonly format: Datatype; readonly values: readonly TensorValue[] }
  | { readonly kind: 'unknown datatype' }
  | { readonly kind: 'unfit'; readonly value: unknown };

/** Nested `data` deeper than this holds no values. */
const DEEPEST = 32;

/** Reads the `data` of an output of exact JSON, however nested. Elements of BYTES that are no text count as their JSON. */
export function outputData(datatype: unknown, data: readonly unknown[]): OutputData {
  const flat: readonly unknown[] = data.some(Array.isArray) ? data.flat(DEEPEST) : data;
  if (datatype === 'BYTES') {
    return { kind: 'elements', elements: flat.map((value) => Buffer.from(typeof value === 'string' ? (exactNumber(value) ?? value) : writeExactJson(value))) };
  }
  const format = DATATYPES.get(String(datatype));
  if (format === undefined) return { kind: 'unknown datatype' };
  const values: TensorValue[] = [];
  for (const value of flat) {
    const said = exactNumber(value) ?? value;
    const fitting = format.fit(said);
    if (fitting === undefined) return { kind: 'unfit', value: said };
    values.push(fitting);
  }
  return { kind: 'values', format, values };
}
