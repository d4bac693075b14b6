import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findInterpreter, findTarget } from './model-target.js';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-target-')));
const model = join(folder, 'points');

beforeAll(() => {
  mkdirSync(model);
  writeFileSync(join(folder, 'points.mar'), '');
  writeFileSync(join(folder, 'notes.txt'), '');
  symlinkSync(model, join(folder, 'link'));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a model', () => {
  it('is a folder or a file, named by the folder that holds it; links are followed', () => {
    expect(findTarget(model)).toEqual({ path: model, isFolder: true, store: folder, url: 'points' });
    expect(findTarget(join(folder, 'link'))).toEqual(findTarget(`${model}/`));
    expect(findTarget(join(folder, 'points.mar'))).toEqual({ path: join(folder, 'points.mar'), isFolder: false, store: folder, url: 'points.mar' });
  });

  it.each([
    [join(folder, 'absent'), /^There is no model at/],
    [join(folder, 'notes.txt'), /is no model: a model is a folder, or a \.mar/],
    ['/', /is the root of the file system/],
  ])('%s is refused', (path, why) => {
    expect(() => findTarget(path)).toThrow(why);
  });
});

describe('the interpreter', () => {
  it('is the one told, the one set, the variable, the one in the folder, and else python3', () => {
    const target = findTarget(model);
    const choices = () => [
      findInterpreter(target, 'told', 'set', { PYTHON: 'variable' }),
      findInterpreter(target, undefined, 'set', { PYTHON: 'variable' }),
      findInterpreter(target, undefined, undefined, { PYTHON: 'variable' }),
      findInterpreter(target, undefined, undefined, { PYTHON: '' }),
    ];
    const python = join(model, 'venv', 'bin', 'python');

    expect(choices()).toEqual(['told', 'set', 'variable', 'python3']);
    mkdirSync(dirname(python), { recursive: true });
    writeFileSync(python, '');
    expect(choices().at(-1)).toBe(python);
    expect(findInterpreter(findTarget(join(folder, 'points.mar')), undefined, undefined, {})).toBe('python3');
  });

  it('that is a path is meant from the working directory', () => {
    expect(findInterpreter(findTarget(model), '.venv/bin/python', undefined, {})).toBe(join(process.cwd(), '.venv/bin/python'));
  });
});
