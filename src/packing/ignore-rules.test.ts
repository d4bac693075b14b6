import { describe, expect, it } from 'vitest';
import { IgnoreRules, LEFT_OUT_BY_DEFAULT } from './ignore-rules.js';

describe('what is left out', () => {
  it.each([
    ['*.pyc', 'a/b.pyc', false, true],
    ['*.pyc', 'a/b.py', false, false],
    ['venv/', 'a/venv', true, true],
    ['venv/', 'venv', false, false],
    ['/logs', 'logs', true, true],
    ['/logs', 'a/logs', true, false],
    ['data/*.csv', 'data/a.csv', false, true],
    ['data/*.csv', 'data/deep/a.csv', false, false],
    ['data/**/*.csv', 'data/deep/er/a.csv', false, true],
    ['data/**', 'data/a/b', false, true],
    ['file?.[ch]', 'file1.c', false, true],
    ['file[!a].c', 'filea.c', false, false],
    ['a+b(c).txt', 'a+b(c).txt', false, true],
    ['a.b', 'axb', false, false],
  ])('%s against %s (folder: %s): %s', (pattern, path, isFolder, expected) => {
    expect(new IgnoreRules([pattern]).leavesOut(path, isFolder)).toBe(expected);
  });

  it('the last pattern that matches decides, comments and blank lines are none', () => {
    const rules = new IgnoreRules(['# all', '', '*.txt', '!keep.txt', 'sub/keep.txt']);

    expect(['a.txt', 'keep.txt', 'sub/keep.txt'].map((path) => rules.leavesOut(path, false))).toEqual([true, false, true]);
  });

  it.each(['.git', '.env', '__pycache__', 'node_modules', 'tests', 'handler.test.ts', 'test_handler.py', 'conftest.py', 'old.mar', 'key_file.json', 'logs'])(
    '%s is left out unasked',
    (name) => {
      expect(new IgnoreRules(LEFT_OUT_BY_DEFAULT).leavesOut(name, !name.includes('.') || name === '.git')).toBe(true);
    },
  );

  it.each(['handler.py', 'model.onnx', 'package.json', 'contest.py', 'latest.txt', 'tokenizer/logs'])('%s is not', (name) => {
    expect(new IgnoreRules(LEFT_OUT_BY_DEFAULT).leavesOut(name, false)).toBe(false);
  });
});
