import { DATATYPES, type TensorValue } from '../../inference/datatype.js';
import type { InferTensorContents } from '../grpc-generated/open_inference_grpc.js';

type NumericField = Exclude<keyof InferTensorContents, 'bytesContents'>;

/** Which list holds the values of a datatype. FP16 has none. */
const FIELDS: ReadonlyMap<string, NumericField> = new Map([
  ['BOOL', 'boolContents'],
  ['INT8', 'intContents'],
  ['INT16', 'intContents'],
  ['INT32', 'intContents'],
  ['INT64', 'int64Contents'],
  ['UINT8', 'uintContents'],
  ['UINT16', 'uintContents'],
  ['UINT32', 'uintContents'],
  ['UINT64', 'uint64Contents'],
  ['FP32', 'fp32Contents'],
  ['FP64', 'fp64Contents'],
]);

/** Whether a datatype may travel in InferTensorContents. */
export function hasContents(datatype: string): boolean {
  return datatype === 'BYTES' || FIELDS.has(datatype);
}

/** The values of a tensor that is no BYTES, as its datatype has them; undefined where there is no list for it, or where a value doesn't fit. */
export function valuesIn(datatype: string, contents: InferTensorContents | undefined): readonly TensorValue[] | undefined {
  const [field, format] = [FIELDS.get(datatype), DATATYPES.get(datatype)];
  if (field === undefined || format === undefined) return undefined;
  const values: readonly TensorValue[] = contents?.[field] ?? [];
  return values.every((value) => format.fit(value) !== undefined) ? values : undefined;
}

/** The contents that hold `values`, which fit the datatype. */
export function contentsOf(datatype: string, values: readonly TensorValue[]): InferTensorContents {
  const contents = emptyContents();
  switch (FIELDS.get(datatype)) {
    case 'boolContents':
      return { ...contents, boolContents: values.map(Boolean) };
    case 'intContents':
      return { ...contents, intContents: values.map(Number) };
    case 'uintContents':
      return { ...contents, uintContents: values.map(Number) };
    case 'int64Contents':
      return { ...contents, int64Contents: values.map(BigInt) };
    case 'uint64Contents':
      return { ...contents, uint64Contents: values.map(BigInt) };
    case 'fp32Contents':
      return { ...contents, fp32Contents: values.map((value) => Math.fround(Number(value))) };
    case 'fp64Contents':
      return { ...contents, fp64Contents: values.map(Number) };
    default:
      return contents;
  }
}

export function bytesContentsOf(elements: readonly Uint8Array[]): InferTensorContents {
  return { ...emptyContents(), bytesContents: [...elements] };
}

/** Contents without a value. */
export function emptyContents(): InferTensorContents {
  return {
    boolContents: [],
    intContents: [],
    int64Contents: [],
    uintContents: [],
    uint64Contents: [],
    fp32Contents: [],
    fp64Contents: [],
    bytesContents: [],
  };
}
