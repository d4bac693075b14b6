import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProperties, propertiesText } from './properties.js';

describe('properties text', () => {
  it('is an entry a line under its comments', () => {
    expect(
      propertiesText(
        ['Saved'],
        [
          ['a_key', 'two\nlines'],
          ['address', 'http://[::1]:8080'],
        ],
      ),
    ).toBe('#Saved\na_key=two\\nlines\naddress=http://[::1]:8080\n');
  });

  it('is read back as it was, whatever the keys and values hold', () => {
    const text = fc.string({
      unit: fc.oneof(fc.constantFrom(' ', '\\', '=', ':', '#', '!', '\n', '\r', '\t', '\f', '{', '"', 'é', '模', '\u0000', '$'), fc.string()),
    });
    const key = text.filter((value) => value !== '');

    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, text), { selector: ([name]) => name, maxLength: 5 }), (entries) => {
        const file = Buffer.from(propertiesText(['Saved', 'now'], entries), 'latin1').toString('latin1');

        expect(parseProperties(file, 'f').map(({ key: name, value }) => [name, value])).toEqual(entries);
      }),
    );
  });
});
