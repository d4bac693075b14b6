import fc from 'fast-check';
import { memberOf } from '../inference/binary-tensors.js';

const MAX_DEPTH = 6;

/** Values that a JSON Schema describes, the ends of its ranges among them. What it says in words that are not known here is left open. */
export function schemaValues(schema: unknown, root: unknown = schema, depth = 0): fc.Arbitrary<unknown> {
  if (typeof schema !== 'object' || schema === null || depth > MAX_DEPTH) return fc.jsonValue({ maxDepth: 2 });
  const reference = memberOf(schema, '$ref');
  if (typeof reference === 'string') return schemaValues(resolved(root, reference), root, depth + 1);
  const constant = memberOf(schema, 'const');
  if (constant !== undefined) return fc.constant(constant);
  const options = memberOf(schema, 'enum');
  if (Array.isArray(options) && options.length > 0) return fc.constantFrom(...options);
  for (const key of ['anyOf', 'oneOf', 'allOf']) {
    const branches = memberOf(schema, key);
    if (Array.isArray(branches) && branches.length > 0) return fc.oneof(...branches.map((branch) => schemaValues(branch, root, depth + 1)));
  }
  const type = memberOf(schema, 'type');
  const types = Array.isArray(type) ? type : [type ?? (memberOf(schema, 'properties') === undefined ? undefined : 'object')];
  return fc.oneof(...types.map((one) => ofType(one, schema, root, depth)));
}

function ofType(type: unknown, schema: object, root: unknown, depth: number): fc.Arbitrary<unknown> {
  const number = (key: string, fallback: number): number => {
    const value = memberOf(schema, key);
    return typeof value === 'number' ? value : fallback;
  };
  switch (type) {
    case 'object':
      return objects(schema, root, depth);
    case 'array':
      return fc.array(schemaValues(memberOf(schema, 'items'), root, depth + 1), {
        minLength: number('minItems', 0),
        maxLength: Math.min(number('maxItems', 8), 64),
      });
    case 'string':
      return fc.string({ unit: 'grapheme', minLength: number('minLength', 0), maxLength: Math.min(number('maxLength', 40), 400) });
    // fast-check tries the ends of a range more often than its middle.
    case 'integer':
      return fc.integer({ min: Math.ceil(number('minimum', -(2 ** 31))), max: Math.floor(number('maximum', 2 ** 31 - 1)) });
    case 'number':
      return fc.double({ min: number('minimum', -1e300), max: number('maximum', 1e300), noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

function objects(schema: object, root: unknown, depth: number): fc.Arbitrary<unknown> {
  const properties = memberOf(schema, 'properties');
  const entries = typeof properties === 'object' && properties !== null ? Object.entries(properties) : [];
  const required = memberOf(schema, 'required');
  const requiredKeys = Array.isArray(required)
    ? required.filter((key): key is string => typeof key === 'string' && entries.some(([name]) => name === key))
    : [];
  return fc.record(Object.fromEntries(entries.map(([name, property]) => [name, schemaValues(property, root, depth + 1)])), { requiredKeys });
}

/** A reference within the document. */
function resolved(root: unknown, reference: string): unknown {
  return reference
    .replace(/^#\/?/, '')
    .split('/')
    .filter((part) => part !== '')
    .reduce<unknown>((at, part) => memberOf(at, part.replaceAll('~1', '/').replaceAll('~0', '~')), root);
}
