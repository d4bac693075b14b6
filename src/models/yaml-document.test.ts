import { describe, expect, it } from 'vitest';
import { HostileYaml, parseStrictYaml, parseYaml } from './yaml-document.js';

describe('a YAML document', () => {
  it('is typed as by PyYAML: y and n are names, yes and off are not', () => {
    expect(parseYaml('y: n\nyes: off\noctal: 010\nmerged: {<<: {a: 1}, b: 2}\n')).toEqual({ y: 'n', true: false, octal: 8, merged: { a: 1, b: 2 } });
  });

  it('that is read strictly gives Maps and refuses keys that stand twice, at any depth', () => {
    expect(parseStrictYaml('a: {y: [1]}\n')).toEqual(new Map([['a', new Map([['y', [1]]])]]));
    expect(() => parseStrictYaml('a: [{b: 1, b: 2}]\n')).toThrow('The key "b" stands twice in one mapping');
    expect(() => parseStrictYaml('a: !frob 1\n')).toThrow('Unresolved tag');
  });

  it('has the place of a fault in its message, and nothing of its own text: it could look like a line of a log', () => {
    expect(() => parseYaml('a: 1\nb: [1\n2026-01-01 [INFO ] all is well: x\n')).toThrow(/^[^\n]* at line 3, column 1$/);
    expect(() => parseYaml('a: 1\nb: [1\n2026-01-01 [INFO ] all is well: x\n')).not.toThrow(/all is well/);
  });

  it.each([
    ['lists', '['.repeat(1_000_000)],
    ['mappings', '{a: '.repeat(100_000)],
    ['lists on one line', '- '.repeat(200_000)],
    ['keys', '? '.repeat(200_000)],
    ['lines further and further in', Array.from({ length: 400 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
  ])('YM1 of %s within each other is refused before anything goes down with them: the process would end', (_, content) => {
    for (const parse of [parseYaml, parseStrictYaml]) expect(() => parse(content)).toThrow('It is nested deeper than 50 levels');
  });

  it('is read 50 levels deep, as SnakeYAML reads it', () => {
    for (const content of [`${'['.repeat(50)}${']'.repeat(50)}`, `${'{a: '.repeat(50)}1${'}'.repeat(50)}`, `${'- '.repeat(50)}x`])
      expect(() => parseYaml(content)).not.toThrow();
  });

  it.each([
    ['aliases of one list, each of which is looked for', `- &a 1\n${'- *a\n'.repeat(1000)}`, 'more than 100 aliases'],
    ['merges of one mapping', `a: &a {x: 1}\n${Array.from({ length: 200 }, (_, n) => `b${n}: {<<: *a}\n`).join('')}`, 'more than 100 aliases'],
    ['values without end', `[${'1,'.repeat(200_000)}]`, 'more than 150000 words and signs'],
    ['lines of nothing', '#\n'.repeat(200_000), 'more than 150000 words and signs'],
    ['a word of ten million letters', `a: ${'x'.repeat(10_000_000)}`, 'longer than 1048576 characters'],
  ])('YM1 YM3 of %s is refused: others wait for the event loop meanwhile', (_, content, why) => {
    for (const parse of [parseYaml, parseStrictYaml]) expect(() => parse(content)).toThrow(why);
    expect(() => parseYaml(content)).toThrow(HostileYaml);
  });

  it('YM3 has __proto__ as a plain key, merged in too, and changes nothing of other objects', () => {
    const [own, merged] = [parseYaml('__proto__: {polluted: 1}\n'), parseYaml('a: &a {__proto__: {polluted: 1}}\nb: {<<: *a}\n')];

    expect(Object.keys(own as object)).toEqual(['__proto__']);
    expect(JSON.stringify(merged)).toBe('{"a":{"__proto__":{"polluted":1}},"b":{"__proto__":{"polluted":1}}}');
    expect('polluted' in {}).toBe(false);
  });

  it('YM3 takes a number of a million digits, infinities and octals for what PyYAML takes them for', () => {
    expect(parseYaml(`a: ${'9'.repeat(100_000)}\nb: .inf\nc: 010\nd: 0x10\ne: no\n`)).toEqual({
      a: Number.POSITIVE_INFINITY,
      b: Number.POSITIVE_INFINITY,
      c: 8,
      d: 16,
      e: false,
    });
  });
});
