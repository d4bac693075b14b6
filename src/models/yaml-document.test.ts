import { describe, expect, it } from 'vitest';
import { parseStrictYaml, parseYaml } from './yaml-document.js';

describe('a YAML document', () => {
  it('is typed as by PyYAML: y and n are names, yes and off are not', () => {
    expect(parseYaml('y: n\nyes: off\noctal: 010\nmerged: {<<: {a: 1}, b: 2}\n')).toEqual({ y: 'n', true: false, octal: 8, merged: { a: 1, b: 2 } });
  });

  it('that is read strictly gives Maps and refuses keys that stand twice, at any depth', () => {
    expect(parseStrictYaml('a: {y: [1]}\n')).toEqual(new Map([['a', new Map([['y', [1]]])]]));
    expect(() => parseStrictYaml('a: [{b: 1, b: 2}]\n')).toThrow('The key "b" stands twice in one mapping');
    expect(() => parseStrictYaml('a: !frob 1\n')).toThrow('Unresolved tag');
  });
});
