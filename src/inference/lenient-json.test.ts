import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseLenientJson } from './lenient-json.js';

it('whatever is JSON is read as JSON reads it', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(0, 2), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      expect(parseLenientJson(text)).toEqual(JSON.parse(text));
    }),
  );
});

it('whatever text there is, it is read or refused with a SyntaxError', () => {
  const piece = fc.constantFrom('{', '}', '[', ']', ':', ',', '"', "'", '\\', '/', '*', '#', '=', ';', ' ', '\n', 'a', '1', '-', 'u');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      try {
        parseLenientJson(pieces.join(''));
      } catch (error) {
        expect(error).toBeInstanceOf(SyntaxError);
      }
    }),
  );
});

it.each([
  [`{'url': 'm.mar'}`, { url: 'm.mar' }],
  [`{url: m.mar, batch_size: 4}`, { url: 'm.mar', batch_size: 4 }],
  [`{"a" = 1; "b" = [1; 2]}`, { a: 1, b: [1, 2] }],
  [`{a: TRUE, b: False, c: NULL, d: None}`, { a: true, b: false, c: null, d: 'None' }],
  [`{a: -1.5e3, b: 0, c: 007, d: 1.2.3, e: NaN, f: +1}`, { a: -1500, b: 0, c: '007', d: '1.2.3', e: 'NaN', f: '+1' }],
  [`{a => 1, b =1}`, { a: 1, b: 1 }],
  [`{"a": [1, 2,],}`, { a: [1, 2] }],
  [`// head\n{ # name\n a /* colon */ : 1 }  // end`, { a: 1 }],
  [`'it\\'s \\u00fc \\n "so"'`, `it's ü \n "so"`],
  [`\uFEFF{}`, {}],
  ['[]', []],
  ['word', 'word'],
])('%s is lenient JSON', (text, value) => {
  expect(parseLenientJson(text)).toEqual(value);
});

it('of equal names the last value counts', () => {
  expect(parseLenientJson('{a: 1, "a": 2}')).toEqual({ a: 2 });
});

it('a name of the prototype is a name like any other', () => {
  const object = parseLenientJson('{__proto__: {polluted: 1}, constructor: 2}');

  expect(Object.entries(object ?? {})).toEqual([
    ['__proto__', { polluted: 1 }],
    ['constructor', 2],
  ]);
  expect({}).not.toHaveProperty('polluted');
});

describe('refused', () => {
  it.each([
    '',
    '  ',
    '{',
    '{"a"}',
    '{a 1}',
    '{a: }',
    '{a: 1 b: 2}',
    '{,}',
    '[',
    '[1 2]',
    '[1}',
    '"no end',
    "'no end\\",
    '"\\u12"',
    '/* no end',
    '{} {}',
    '1 2',
    ']',
  ])('%j', (text) => {
    expect(() => parseLenientJson(text)).toThrow(SyntaxError);
  });

  it('nesting beyond a hundred levels, however deep', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

    expect(() => parseLenientJson(nested(100))).not.toThrow();
    expect(() => parseLenientJson(nested(102))).toThrow('nested too deeply');
    expect(() => parseLenientJson('{a:'.repeat(100_000))).toThrow('nested too deeply');
  });

  it('with the place', () => {
    expect(() => parseLenientJson('{"a" 1}')).toThrow('Malformed JSON at character 5: no colon after a name');
  });
});
