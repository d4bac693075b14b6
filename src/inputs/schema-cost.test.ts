import { describe, expect, it } from 'vitest';
import { parseInputRules } from './parse-rules.js';
import { schemaCost } from './schema-cost.js';

const TREE = { anyOf: [{ items: { $ref: '#/$defs/tree' } }, { items: { $ref: '#/$defs/tree' } }] };

describe('the cost of a schema', () => {
  it('is that of its places, and of what is referred to each time that it is', () => {
    const plain = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } } };
    const referring = {
      $defs: { text: { type: 'string', maxLength: 9, minLength: 1 } },
      properties: { a: { $ref: '#/$defs/text' }, b: { $ref: '#/$defs/text' } },
    };

    expect(schemaCost(plain)).toBeLessThan(10);
    expect(schemaCost(referring)).toBeGreaterThan(8);
    expect(schemaCost(referring)).toBeLessThan(20);
    expect(schemaCost({ $id: 'urn:whole', properties: { uniqueItems: { type: 'boolean' }, $id: { type: 'string' } } })).toBeLessThan(10);
    expect(schemaCost({ pattern: 'a' })).toBeGreaterThan(schemaCost({ const: 'a' }));
  });

  it.each([
    ['refers to itself', { $defs: { tree: TREE }, $ref: '#/$defs/tree' }],
    ['refers to itself as a whole', { items: { $ref: '#' } }],
    ['refers to itself in the words of an earlier draft', { items: { $recursiveRef: '#' } }],
    ['refers to an anchor', { $ref: '#there' }],
    ['compares each with each', { uniqueItems: true }],
    ['does so in a property that is called as definitions are', { properties: { definitions: { uniqueItems: true } } }],
    ['refers to what its own part defines', { items: { $id: 'urn:part', $ref: '#/$defs/all', $defs: { all: { uniqueItems: true } } } }],
  ])('IN10 has no bound where it %s', (_, schema) => {
    expect(schemaCost(schema)).toBe(Number.POSITIVE_INFINITY);
  });

  it('IN10 of references that double at each step is told without taking them all', () => {
    const names = Array.from({ length: 60 }, (_, n) => n);
    const $defs = Object.fromEntries(
      names.map((n) => [`d${n}`, n === 59 ? { type: 'string' } : { allOf: [{ $ref: `#/$defs/d${n + 1}` }, { $ref: `#/$defs/d${n + 1}` }] }]),
    );

    expect(schemaCost({ $defs, $ref: '#/$defs/d0' })).toBeGreaterThan(2 ** 59);
  });
});

describe('IN10 a schema that takes long to compile', () => {
  it.each([
    ['of thousands of branches', { oneOf: Array.from({ length: 3000 }, (_, n) => ({ const: n })) }, 'more than 2000 schemas'],
    [
      'of a chain of references',
      { $defs: Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`d${n}`, { items: { $ref: `#/$defs/d${n + 1}` } }])) },
      'references to more than 100',
    ],
  ])('%s is refused', (_, schema, why) => {
    expect(() => parseInputRules({ schema }, 'model-config.yaml')).toThrow(why);
  });
});
