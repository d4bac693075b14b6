import { fromHalfBits } from '../../inference/half-float.js';
import { ELEMENT_FORMATS, type ElementType, type TensorData } from './element-type.js';

/** A tensor: row-major values, `data.length` = product of `dims`. */
export interface Tensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: TensorData;
}

/** Tensors by the names of a model's inputs or outputs. */
export type NamedTensors = ReadonlyMap<string, Tensor>;

export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

/** Lays tensors of equal type and equal inner axes one after another along axis 0. One tensor comes back as it is. */
export function joinRows(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (first === undefined || tensors.length === 1) return first ?? { type: 'float32', dims: [0], data: new Float32Array() };
  const rows = tensors.reduce((total, tensor) => total + (tensor.dims[0] ?? 0), 0);
  const dims = [rows, ...first.dims.slice(1)];
  const data = ELEMENT_FORMATS[first.type].create(sizeOf(dims));
  let offset = 0;
  for (const tensor of tensors) {
    copyInto(data, tensor.data, offset);
    offset += tensor.data.length;
  }
  return { type: first.type, dims, data };
}

/** The rows `from` ≤ row < `from + count` of a tensor, sharing its memory. */
export function takeRows(tensor: Tensor, from: number, count: number): Tensor {
  const rowSize = sizeOf(tensor.dims.slice(1));
  const data = tensor.data;
  const [start, end] = [from * rowSize, (from + count) * rowSize];
  return { type: tensor.type, dims: [count, ...tensor.dims.slice(1)], data: Array.isArray(data) ? data.slice(start, end) : data.subarray(start, end) };
}

function copyInto(target: TensorData, source: TensorData, offset: number): void {
  if (Array.isArray(target) && Array.isArray(source)) for (const [index, value] of source.entries()) target[offset + index] = value;
  else if (target instanceof BigInt64Array && source instanceof BigInt64Array) target.set(source, offset);
  else if (target instanceof BigUint64Array && source instanceof BigUint64Array) target.set(source, offset);
  else if (isNumbers(target) && isNumbers(source)) target.set(source, offset);
}

type Numbers = Exclude<TensorData, string[] | BigInt64Array | BigUint64Array>;

function isNumbers(data: TensorData): data is Numbers {
  return !Array.isArray(data) && !(data instanceof BigInt64Array) && !(data instanceof BigUint64Array);
}

/** The tensor's values as numbers, halves decoded. 64-bit integers lose digits beyond 2^53. Strings give undefined. */
export function toNumbers({ type, data }: Tensor): Float64Array | undefined {
  if (Array.isArray(data)) return undefined;
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return Float64Array.from(data, Number);
  return type === 'float16' ? Float64Array.from(data, fromHalfBits) : Float64Array.from(data);
}

/** One JSON text per value of a flat range: whole numbers beyond 2^53 as strings, NaN and infinities as null. */
function flatJson({ type, data }: Tensor, start: number, end: number): string {
  if (Array.isArray(data)) return JSON.stringify(data.slice(start, end));
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    return JSON.stringify(Array.from(data.subarray(start, end), (value) => (Number.isSafeInteger(Number(value)) ? Number(value) : String(value))));
  }
  const values: number[] = Array.from(data.subarray(start, end));
  if (type === 'float16') return JSON.stringify(values.map(fromHalfBits));
  return JSON.stringify(type === 'bool' ? values.map((value) => value !== 0) : values);
}

/** All values as one flat JSON array. */
export function toFlatJson(tensor: Tensor): string {
  return flatJson(tensor, 0, tensor.data.length);
}

/** The values as nested JSON arrays of the tensor's shape; a tensor without axes is a bare value. */
export function toNestedJson(tensor: Tensor): string {
  const { dims } = tensor;
  if (dims.length === 0) return flatJson(tensor, 0, 1).slice(1, -1);
  const level = (axis: number, start: number): string => {
    const length = dims[axis] ?? 0;
    if (axis === dims.length - 1) return flatJson(tensor, start, start + length);
    const step = sizeOf(dims.slice(axis + 1));
    return `[${Array.from({ length }, (_, index) => level(axis + 1, start + index * step)).join(',')}]`;
  };
  return level(0, 0);
}

/** The values as little-endian bytes, sharing memory; strings have no such form and give undefined. */
export function toRawBytes({ data }: Tensor): Uint8Array | undefined {
  return Array.isArray(data) ? undefined : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
