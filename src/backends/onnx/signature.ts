import type { ServedTensor } from '../../inference/served-signature.js';
import { ELEMENT_FORMATS, type ElementType } from './element-type.js';

/** A tensor that a model takes or gives. A free axis is a string: its symbolic name, or '' where the model gives none. */
export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly (number | string)[];
}

/** What an ONNX model takes and gives, in the model's order. Outputs that are not tensors (maps, sequences) are left out. */
export interface ModelSignature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** A tensor in KServe's words. */
export function servedTensor({ name, type, dims }: TensorSpec): ServedTensor {
  return { name, datatype: ELEMENT_FORMATS[type].datatype, shape: dims.map((dim) => (typeof dim === 'number' ? dim : -1)) };
}

/** `float32 of shape [N, 1, 28, 28]`, for messages. */
export function describeSpec({ type, dims }: TensorSpec): string {
  return `${type} of shape ${describeDims(dims)}`;
}

/** `[N, 1, 28, 28]`; an axis without a name is `?`. */
export function describeDims(dims: readonly (number | string)[]): string {
  return `[${dims.map((dim) => (dim === '' ? '?' : dim)).join(', ')}]`;
}

/** Names that converters make up for axes they know nothing of. */
const UNNAMED = /^$|^unk__\d+$/;

/**
 * Whether requests may be joined along the first axis: it is free in every input and output, and means the same in all of them.
 * An axis without a name of its own passes here; the row count of the answer is compared when it comes.
 */
export function isJoinable({ inputs, outputs }: ModelSignature): boolean {
  const axes = [...inputs, ...outputs].map((spec) => spec.dims[0]);
  if (inputs.length === 0 || !axes.every((axis) => typeof axis === 'string')) return false;
  return new Set(axes.filter((axis) => !UNNAMED.test(axis))).size <= 1;
}

/** The first axis counts examples: it is free, or is 1. */
export function hasBatchAxis(spec: TensorSpec): boolean {
  const axis = spec.dims[0];
  return typeof axis === 'string' || axis === 1;
}
