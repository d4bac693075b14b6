import { sizeOf } from '../tensors.js';

/** Softmax along one axis, in place; safe for large values. A negative axis counts from the end. */
export function softmax(values: Float64Array, dims: readonly number[], axis: number): void {
  alongAxis(dims, axis, (start, length, stride) => {
    let largest = Number.NEGATIVE_INFINITY;
    for (let at = 0; at < length; at += 1) largest = Math.max(largest, values[start + at * stride] ?? 0);
    let total = 0;
    for (let at = 0; at < length; at += 1) {
      const power = Math.exp((values[start + at * stride] ?? 0) - largest);
      values[start + at * stride] = power;
      total += power;
    }
    for (let at = 0; at < length; at += 1) values[start + at * stride] = (values[start + at * stride] ?? 0) / total;
  });
}

/** The logistic function of every value, in place. */
export function sigmoid(values: Float64Array): void {
  for (let at = 0; at < values.length; at += 1) values[at] = 1 / (1 + Math.exp(-(values[at] ?? 0)));
}

/** The index of the largest value along one axis, which falls away; of equals the first. */
export function argmax(values: Float64Array, dims: readonly number[], axis: number): { readonly indices: number[]; readonly dims: number[] } {
  const indices: number[] = [];
  alongAxis(dims, axis, (start, length, stride) => {
    let best = 0;
    for (let at = 1; at < length; at += 1) {
      if ((values[start + at * stride] ?? 0) > (values[start + best * stride] ?? 0)) best = at;
    }
    indices.push(best);
  });
  const gone = axis < 0 ? axis + dims.length : axis;
  return { indices, dims: dims.filter((_, index) => index !== gone) };
}

/** Calls `visit` for each line of values along an axis, in row-major order of the other axes. */
function alongAxis(dims: readonly number[], axis: number, visit: (start: number, length: number, stride: number) => void): void {
  const at = axis < 0 ? axis + dims.length : axis;
  const length = dims[at] ?? 1;
  const stride = sizeOf(dims.slice(at + 1));
  const outer = sizeOf(dims.slice(0, at));
  for (let block = 0; block < outer; block += 1) {
    for (let line = 0; line < stride; line += 1) visit(block * length * stride + line, length, stride);
  }
}
