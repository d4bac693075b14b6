import { InputRefused } from '../errors/inputs.js';
import { type BinaryRange, memberOf, rangesOf } from '../inference/binary-tensors.js';
import { readBytesElements } from '../inference/bytes-elements.js';
import { DATATYPES, type TensorValue, unpackValues } from '../inference/datatype.js';
import { exactNumber } from '../inference/exact-json.js';
import type { TensorRule } from '../inference/input-rules.js';

/** Holds the tensors of an Open Inference request to their rules. `json` is its JSON, `bytes` what follows. Throws InputRefused, and BadInput for sizes that don't add up. */
export function checkTensors(json: unknown, bytes: Uint8Array, rules: readonly TensorRule[]): void {
  const inputs = memberOf(json, 'inputs');
  if (!Array.isArray(inputs) || !inputs.some((input) => typeof memberOf(input, 'name') === 'string')) return checkBare(json, rules);
  const ranges = rangesOf(inputs, bytes.byteLength);
  const named = new Set<unknown>(inputs.map((input) => memberOf(input, 'name')));
  for (const { name } of rules) if (name !== undefined && !named.has(name)) throw refused('/inputs', 'presence', `the tensor "${name}" is missing`);
  for (const [index, input] of inputs.entries()) {
    const rule = ruleFor(rules, memberOf(input, 'name'));
    if (rule !== undefined) checkTensor(input, `/inputs/${index}`, ranges[index], bytes, rule);
  }
}

function ruleFor(rules: readonly TensorRule[], name: unknown): TensorRule | undefined {
  return rules.find((rule) => rule.name === name) ?? rules.find((rule) => rule.name === undefined);
}

function checkTensor(input: unknown, place: string, range: BinaryRange | undefined, bytes: Uint8Array, rule: TensorRule): void {
  const datatype = memberOf(input, 'datatype');
  if (rule.datatype !== undefined && datatype !== rule.datatype) throw refused(`${place}/datatype`, 'datatype', `it has to be ${rule.datatype}`);
  const shape = memberOf(input, 'shape');
  if (!isShape(shape)) throw refused(`${place}/shape`, 'shape', 'it has to be a list of lengths');
  if (rule.shape !== undefined && !fits(shape, rule.shape)) throw refused(`${place}/shape`, 'shape', `it has to be ${shown(rule.shape)}`);
  const elements = shape.reduce((product, length) => product * length, 1);
  if (!Number.isSafeInteger(elements)) throw refused(`${place}/shape`, 'shape', 'it has more elements than can be');
  if (rule.maxElements !== undefined && elements > rule.maxElements) throw refused(`${place}/shape`, 'maxElements', `more than ${rule.maxElements} elements`);
  const values = valuesOf(input, datatype, range, bytes, place);
  if (values === undefined) return;
  if (values.length !== elements) throw refused(`${place}/data`, 'shape', `the shape tells of ${elements} elements, ${values.length} are there`);
  checkValues(values, `${place}/data`, rule);
}

/** Numbers, or undefined for elements of BYTES, which have no values to check once they add up. */
function valuesOf(input: unknown, datatype: unknown, range: BinaryRange | undefined, bytes: Uint8Array, place: string): readonly unknown[] | undefined {
  const format = DATATYPES.get(String(datatype));
  if (range !== undefined) {
    const raw = bytes.subarray(range.start, range.end);
    const read: readonly TensorValue[] | readonly Uint8Array[] | undefined = format === undefined ? readBytesElements(raw) : unpackValues(format, raw);
    if (read === undefined) throw refused(place, 'datatype', `its bytes are no ${String(datatype)}`);
    return format === undefined ? undefined : read;
  }
  const data = memberOf(input, 'data');
  if (!Array.isArray(data)) throw refused(`${place}/data`, 'presence', 'it has to be a list');
  if (format === undefined) return undefined;
  return data.flat(Number.POSITIVE_INFINITY).map((value, index) => {
    const fitting = format.fit(exactNumber(value) ?? value);
    if (fitting === undefined) throw refused(`${place}/data/${index}`, 'datatype', `it is no ${String(datatype)}`);
    return fitting;
  });
}

/** A JSON body that is no Open Inference request: the rule without a name is for all its numbers. */
function checkBare(json: unknown, rules: readonly TensorRule[]): void {
  const rule = ruleFor(rules, undefined);
  if (rule === undefined) return;
  const walk = (value: unknown, place: string): void => {
    if (Array.isArray(value)) for (const [index, member] of value.entries()) walk(member, `${place}/${index}`);
    else if (typeof value === 'object' && value !== null) for (const [key, member] of Object.entries(value)) walk(member, `${place}/${key}`);
    else if (typeof value === 'number' || exactNumber(value) !== undefined) checkValues([exactNumber(value) ?? value], place, rule, false);
  };
  walk(json, '');
}

function checkValues(values: readonly unknown[], place: string, { finite, min, max }: TensorRule, hasIndex = true): void {
  for (const [index, value] of values.entries()) {
    const number = Number(value);
    const at = hasIndex ? `${place}/${index}` : place;
    if (finite && !Number.isFinite(number)) throw refused(at, 'finite', 'it is no finite number');
    if (min !== undefined && !(number >= min)) throw refused(at, 'min', `it is less than ${min}`);
    if (max !== undefined && !(number <= max)) throw refused(at, 'max', `it is more than ${max}`);
  }
}

function isShape(shape: unknown): shape is readonly number[] {
  return Array.isArray(shape) && shape.length <= 64 && shape.every((length) => Number.isSafeInteger(length) && length >= 0);
}

function fits(shape: readonly number[], wanted: NonNullable<TensorRule['shape']>): boolean {
  return (
    shape.length === wanted.length &&
    shape.every((length, index) => {
      const rule = wanted[index];
      return typeof rule === 'object' ? length >= rule[0] && length <= rule[1] : rule === -1 || rule === length;
    })
  );
}

function shown(shape: NonNullable<TensorRule['shape']>): string {
  return `[${shape.map((length) => (typeof length === 'object' ? length.join(' to ') : length === -1 ? 'any' : length)).join(', ')}]`;
}

function refused(place: string, rule: string, what: string): Error {
  return InputRefused({ status: 422, place, rule: `tensors.${rule}`, what });
}
