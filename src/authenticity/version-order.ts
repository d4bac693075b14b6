/** Numbers with dots between, as `1`, `1.2` or `v1.2.3`: the only versions that have an order which nobody doubts. */
const ORDERED = /^v?(\d{1,9}(?:\.\d{1,9}){0,7})$/;

export function isOrdered(version: string): boolean {
  return ORDERED.test(version);
}

/** Whether a version is at least another; undefined when one of them has no order (`1.0-beta`). `1.2` and `1.2.0` are the same. */
export function isAtLeast(version: string, minimum: string): boolean | undefined {
  const [left, right] = [numbers(version), numbers(minimum)];
  if (left === undefined || right === undefined) return undefined;
  for (let index = 0; index < Math.max(left.length, right.length); index += 1) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

function numbers(version: string): readonly number[] | undefined {
  return ORDERED.exec(version)?.[1]?.split('.').map(Number);
}
