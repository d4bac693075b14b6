import type { TensorSpec } from './signature.js';
import { sizeOf } from './tensors.js';

/** How given values are to be shaped for a model's input. `added`: they were one example without its batch axis, and so shall the answer be. */
export interface FittedShape {
  readonly dims: readonly number[];
  readonly added: boolean;
}

/**
 * Fits a nested array's shape to an input. In this order: the very shape; one example without its batch axis; one example whose axes of
 * length 1 are missing or that is flat (784 for [N, 1, 28, 28]); rows of such examples. undefined when none fits.
 */
export function fitShape({ dims: wanted }: TensorSpec, given: readonly number[]): FittedShape | undefined {
  if (matches(wanted, given)) return { dims: given, added: false };
  const [axis, ...rest] = wanted;
  // A model may leave its rank open, which ONNX Runtime shows as no axes at all.
  if (axis === undefined) return { dims: given, added: false };
  const batched = typeof axis === 'string' || axis === 1;
  if (!batched) {
    const whole = fixedOf(wanted);
    return whole !== undefined && isFlat(given, sizeOf(whole)) ? { dims: whole, added: false } : undefined;
  }
  if (matches(rest, given)) return { dims: [1, ...given], added: true };
  const example = fixedOf(rest);
  if (example === undefined) return undefined;
  if (sameExample(given, example)) return { dims: [1, ...example], added: true };
  const [rows = 0, ...row] = given;
  const rowsFit = given.length >= 2 && (typeof axis === 'string' || rows === axis) && sameExample(row, example);
  return rowsFit ? { dims: [rows, ...example], added: false } : undefined;
}

/**
 * The shape of `count` raw values, which carry none: axes are filled from the input's. At most one free axis can be inferred; with a free
 * first axis and another free one, the bytes are taken as one example. undefined when the count fits no shape.
 */
export function inferShape({ dims: wanted }: TensorSpec, count: number): FittedShape | undefined {
  const free = wanted.flatMap((dim, index) => (typeof dim === 'string' ? [index] : []));
  const inferred = free.length === 2 && free[0] === 0 ? free[1] : free.length === 1 ? free[0] : undefined;
  if (count === 0 || (free.length > 0 && inferred === undefined)) return undefined;
  if (wanted.length === 0) return { dims: count === 1 ? [] : [count], added: false };
  const known = sizeOf(wanted.map((dim) => (typeof dim === 'number' ? dim : 1)));
  if (known === 0 || count % known !== 0 || (inferred === undefined && count !== known)) return undefined;
  const dims = wanted.map((dim, index) => (typeof dim === 'number' ? dim : index === inferred ? count / known : 1));
  const batched = typeof wanted[0] === 'string' || wanted[0] === 1;
  return { dims, added: batched && wanted.length > 1 && dims[0] === 1 };
}

function matches(wanted: readonly (number | string)[], given: readonly number[]): boolean {
  return wanted.length === given.length && wanted.every((dim, index) => typeof dim === 'string' || dim === given[index]);
}

function fixedOf(dims: readonly (number | string)[]): readonly number[] | undefined {
  return dims.every((dim) => typeof dim === 'number') ? dims : undefined;
}

function sameExample(given: readonly number[], example: readonly number[]): boolean {
  return isFlat(given, sizeOf(example)) || (given.length <= example.length && withoutOnes(given) === withoutOnes(example));
}

function isFlat(given: readonly number[], size: number): boolean {
  return given.length === 1 && given[0] === size;
}

function withoutOnes(dims: readonly number[]): string {
  return dims.filter((dim) => dim !== 1).join();
}
