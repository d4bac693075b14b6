import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLenientJson } from './lenient-json.js';

describe('JSON', () => {
  it('that JSON.stringify wrote reads as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 8 }), fc.constantFrom(undefined, 2), (json, indent) => {
        const strict: unknown = JSON.parse(json);

        expect(parseLenientJson(JSON.stringify(strict, undefined, indent))).toEqual(strict);
      }),
    );
  });

  it('keeps every string, lone surrogates and controls too', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff })), (units) => {
        const text = String.fromCharCode(...units);

        expect(parseLenientJson(JSON.stringify({ [text]: text }))).toEqual({ [text]: text });
      }),
    );
  });

  it('of any kind is read or refused with a SyntaxError, and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]:=,;"\'\\/*# \nab1u-.>') }), (text) => {
        try {
          parseLenientJson(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
    );
  });
});

describe('lenient JSON', () => {
  it.each([
    ["{'a': 'x'}", { a: 'x' }],
    ['{a: x}', { a: 'x' }],
    ['{a = 1; b => 2}', { a: 1, b: 2 }],
    ['{"a": 1,}', { a: 1 }],
    ['[1, 2,]', [1, 2]],
    ['{a: TRUE, b: False, c: NULL}', { a: true, b: false, c: null }],
    ['// one\n{ # two\n a: /* three */ 1 }', { a: 1 }],
    ['\ufeff{"a": -1.5e2}', { a: -150 }],
    ['{file: model.mar, version: 1.0}', { file: 'model.mar', version: 1 }],
    ['"a\\u0041\\n\\/\\x"', 'aA\n/x'],
    ["'it\"s'", 'it"s'],
    [' word ', 'word'],
  ])('%j reads as expected', (text, value) => {
    expect(parseLenientJson(text)).toEqual(value);
  });

  it('takes for a number what is one in JSON, and leaves the rest as words', () => {
    expect(parseLenientJson('[0, -0.5, 1e3, 007, .5, 5., 0x10, NaN, 1e]')).toEqual([0, -0.5, 1000, '007', '.5', '5.', '0x10', 'NaN', '1e']);
  });

  it('gives a name of __proto__ to the object as any other', () => {
    const parsed = parseLenientJson('{__proto__: {polluted: true}}');

    expect(Object.hasOwn(Object(parsed), '__proto__')).toBe(true);
    expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });

  it.each(['', '{', '[', '{a', '{a:', '{a 1}', '[1 2]', '"open', "'open", '"\\u12x4"', '"\\', '{} {}', '[1]]', '/* open', '{:1}'])(
    '%j is refused with a place',
    (text) => {
      expect(() => parseLenientJson(text)).toThrow(/^Malformed JSON at character \d+: /);
    },
  );

  it('is taken a hundred levels deep and no deeper', () => {
    expect(() => parseLenientJson('['.repeat(101) + ']'.repeat(101))).not.toThrow();
    expect(() => parseLenientJson('['.repeat(100_000))).toThrow('nested too deeply');
    expect(() => parseLenientJson('{a:'.repeat(100_000))).toThrow('nested too deeply');
  });
});
