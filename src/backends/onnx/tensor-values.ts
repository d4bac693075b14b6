import { BadInput } from '../../errors/backend.js';
import { readBytesElements } from '../../inference/bytes-elements.js';
import { ELEMENT_FORMATS } from './element-type.js';
import { describeDims, describeSpec, type TensorSpec } from './signature.js';
import { type FittedShape, fitShape, inferShape } from './tensor-shape.js';
import { sizeOf, type Tensor } from './tensors.js';

/** A tensor made of a client's values, and whether its batch axis was added. */
export interface FittedTensor {
  readonly tensor: Tensor;
  readonly added: boolean;
}

/** Nested arrays deeper than this are refused; ONNX knows no such tensor. */
const DEEPEST = 32;

/** Shapes JSON (a nested array, or a bare value) for an input. Throws BadInput when the values or their shape do not fit. */
export function tensorFromJson(spec: TensorSpec, value: unknown): FittedTensor {
  const dims = dimsOf(value);
  const fitted = dims === undefined ? undefined : fitShape(spec, dims);
  if (dims === undefined || fitted === undefined) throw BadInput({ what: wrongShape(spec, value, dims) });
  return fill(spec, value, dims, fitted);
}

/** Shapes KServe v2 values: flat or nested `data` under an explicit shape. Throws BadInput. */
export function tensorFromShapedJson(spec: TensorSpec, shape: readonly number[], data: readonly unknown[]): FittedTensor {
  const fitted = fitShape(spec, shape);
  if (fitted === undefined) throw BadInput({ what: `${expectation(spec)}, got the shape ${describeDims(shape)}.` });
  const dims = dimsOf(data) ?? [];
  if (sizeOf(dims) !== sizeOf(shape)) {
    throw BadInput({ what: `Input "${spec.name}": the shape ${describeDims(shape)} has ${sizeOf(shape)} values, data has ${sizeOf(dims)}.` });
  }
  return fill(spec, data, dims, fitted);
}

/** Shapes little-endian bytes; for an input of strings they are one string in UTF-8. Throws BadInput. */
export function tensorFromBytes(spec: TensorSpec, bytes: Uint8Array): FittedTensor {
  const { sizeBytes } = ELEMENT_FORMATS[spec.type];
  if (spec.type === 'string') return tensorFromJson(spec, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  const count = bytes.byteLength / sizeBytes;
  const fitted = Number.isInteger(count) ? inferShape(spec, count) : undefined;
  if (fitted === undefined) {
    throw BadInput({
      what: `${expectation(spec)}, ${sizeBytes} byte(s) a value, got ${bytes.byteLength} bytes, which fit no such shape. JSON can say its shape.`,
    });
  }
  return fillBytes(spec, bytes, count, fitted);
}

/** Shapes the bytes of a KServe binary tensor under its explicit shape. Throws BadInput. */
export function tensorFromPacked(spec: TensorSpec, shape: readonly number[], bytes: Uint8Array): FittedTensor {
  const { sizeBytes } = ELEMENT_FORMATS[spec.type];
  if (spec.type === 'string') {
    const elements = readBytesElements(bytes);
    if (elements === undefined) throw BadInput({ what: `Input "${spec.name}": the lengths of its BYTES elements do not add up.` });
    const texts = elements.map((element) => Buffer.from(element.buffer, element.byteOffset, element.byteLength).toString());
    return tensorFromShapedJson(spec, shape, texts);
  }
  const fitted = fitShape(spec, shape);
  if (fitted === undefined) throw BadInput({ what: `${expectation(spec)}, got the shape ${describeDims(shape)}.` });
  const count = sizeOf(shape);
  if (bytes.byteLength !== count * sizeBytes) {
    throw BadInput({ what: `Input "${spec.name}": the shape ${describeDims(shape)} has ${count * sizeBytes} bytes, ${bytes.byteLength} came.` });
  }
  return fillBytes(spec, bytes, count, fitted);
}

function fillBytes(spec: TensorSpec, bytes: Uint8Array, count: number, fitted: FittedShape): FittedTensor {
  const data = ELEMENT_FORMATS[spec.type].create(count);
  // The values' own memory is aligned; the body's need not be.
  if (!Array.isArray(data)) new Uint8Array(data.buffer).set(bytes);
  return { tensor: { type: spec.type, dims: fitted.dims, data }, added: fitted.added };
}

function fill(spec: TensorSpec, value: unknown, dims: readonly number[], fitted: FittedShape): FittedTensor {
  const format = ELEMENT_FORMATS[spec.type];
  const data = format.create(sizeOf(fitted.dims));
  const innermost = dims.length - 1;
  const put = (values: readonly unknown[], offset: number): void => {
    const failure = format.put(data, values, offset);
    if (failure !== undefined) throw BadInput({ what: `${expectation(spec)}, which takes ${format.takes}, got ${describeValue(failure.refused)}.` });
  };
  const level = (node: unknown, axis: number, offset: number): void => {
    if (!Array.isArray(node) || node.length !== dims[axis])
      throw BadInput({ what: `Input "${spec.name}": the nested array is uneven: rows of one axis differ in length.` });
    if (axis === innermost) return put(node, offset);
    const step = sizeOf(dims.slice(axis + 1));
    for (const [index, child] of node.entries()) level(child, axis + 1, offset + index * step);
  };
  if (dims.length === 0) put([value], 0);
  else level(value, 0, 0);
  return { tensor: { type: spec.type, dims: fitted.dims, data }, added: fitted.added };
}

/** The shape that the first element of each level suggests. undefined for what is no array of values at all. */
function dimsOf(value: unknown): readonly number[] | undefined {
  const dims: number[] = [];
  let node: unknown = value;
  while (Array.isArray(node) && dims.length <= DEEPEST) {
    dims.push(node.length);
    if (node.length === 0) break;
    node = node[0];
  }
  const empty = dims.at(-1) === 0;
  return dims.length > DEEPEST || empty || (typeof node === 'object' && node !== null) || node === undefined ? undefined : dims;
}

function wrongShape(spec: TensorSpec, value: unknown, dims: readonly number[] | undefined): string {
  if (dims !== undefined && dims.length > 0) return `${expectation(spec)}, got an array of shape ${describeDims(dims)}.`;
  return `${expectation(spec)}, got ${describeValue(value)}.`;
}

function expectation(spec: TensorSpec): string {
  return `Input "${spec.name}": expected ${describeSpec(spec)}`;
}

function describeValue(value: unknown): string {
  if (Array.isArray(value)) return 'an array that holds no plain values';
  if (value === null) return 'null';
  if (typeof value === 'object') return 'an object';
  if (typeof value === 'string') return value.length > 40 ? `a string of ${value.length} characters` : `the string ${JSON.stringify(value)}`;
  return value === undefined ? 'nothing' : String(value);
}
