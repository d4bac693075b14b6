import assert from 'node:assert/strict';
import type { Answer, Outcome } from './archive.js';

/** The only answer of a step with one request. */
export function only({ answers }: Outcome): Answer {
  const [answer] = answers;
  assert.ok(answer !== undefined && answers.length === 1, `${answers.length} answers instead of one`);
  return answer;
}

/** The body of an answer that must be a success, read as JSON. */
export function told(answer: Answer | undefined): unknown {
  assert.equal(answer?.status, 200, `${answer?.status} ${answer?.reason}: ${answer?.body.toString().slice(0, 300)}`);
  return JSON.parse(answer.body.toString());
}

export function header(answer: Answer, name: string): string | undefined {
  return answer.headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1];
}

/** Checks that an answer is an error in TorchServe's form. */
export function assertRefused(answer: Answer, status: number, type: string, message: string): void {
  assert.equal(answer.status, status);
  assert.deepEqual(JSON.parse(answer.body.toString()), { code: status, type, message });
}

/**
 * Checks that two JSON values are the same but for numbers, which may differ by 1e-5 of their size or, near zero, by 1e-6: kernels for one row and for
 * several, and for one thread and for several, add up in another order.
 */
export function assertClose(actual: unknown, expected: unknown, place = 'value'): void {
  if (typeof actual === 'number' && typeof expected === 'number') {
    assert.ok(Math.abs(actual - expected) <= 1e-6 + 1e-5 * Math.abs(expected), `${place} is ${actual}, not ${expected}`);
  } else if (isTree(actual) && isTree(expected)) {
    assert.deepEqual(Object.keys(actual), Object.keys(expected), `${place} has other keys`);
    for (const key of Object.keys(expected)) assertClose(actual[key], expected[key], `${place}.${key}`);
  } else {
    assert.deepEqual(actual, expected, place);
  }
}

/** A key of a JSON object; undefined where there is none. */
export function at(value: unknown, ...keys: readonly (string | number)[]): unknown {
  return keys.reduce<unknown>((inner, key) => (isTree(inner) ? inner[String(key)] : undefined), value);
}

/** All numbers in a JSON value, added up. */
export function sum(value: unknown): number {
  if (typeof value === 'number') return value;
  return isTree(value) ? Object.values(value).reduce<number>((total, inner) => total + sum(inner), 0) : 0;
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
