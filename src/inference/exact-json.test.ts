import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exactJson, exactNumber, parseExactJson, writeExactJson } from './exact-json.js';

describe('exact JSON', () => {
  it('reads and writes what JSON.parse and JSON.stringify do', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(writeExactJson(parseExactJson(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('keeps every digit of long whole numbers', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n })), (numbers) => {
        const text = `[${numbers.join(',')}]`;
        expect(writeExactJson(parseExactJson(text))).toBe(text);
      }),
    );
  });

  it('keeps NaN and the infinities, which Python writes', () => {
    const text = '{"a":[NaN,-Infinity,Infinity,1.5]}';

    expect(writeExactJson(parseExactJson(text))).toBe(text);
    expect(Reflect.get(Object(parseExactJson('{"a":NaN}')), 'a')).toSatisfy((value) => exactNumber(value) === 'NaN');
  });

  it('leaves strings alone, whatever stands in them', () => {
    const text = JSON.stringify({ a: 'NaN 1234567890123456789 \\" Infinity', '12345678901234567': ['\\', '"'] });

    expect(writeExactJson(parseExactJson(text))).toBe(text);
    expect(exactNumber('NaN')).toBeUndefined();
  });

  it('leaves fractions with many digits to JavaScript, which loses none that a double has', () => {
    const text = '[0.12345678901234567, 12345678901234567.5e3, 1e-0000000000000000001, -1.1234567890123456789E+2]';

    expect(parseExactJson(text)).toEqual(JSON.parse(text));
  });

  it('refuses what is no JSON', () => {
    for (const text of ['', '{', '[NaN', '"1234567890123456789', 'NaNa', '{"a":1234567890123456789']) expect(() => parseExactJson(text)).toThrow(SyntaxError);
  });

  it('writes prepared numbers as they are', () => {
    expect(writeExactJson({ data: exactJson('[1,NaN]') })).toBe('{"data":[1,NaN]}');
  });
});
