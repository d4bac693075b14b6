import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { PYTHON } from '../fixtures/python-workers.js';
import { AuthoringBench } from './authoring-bench.js';

const STARTERS = [
  { kind: 'python', test: [PYTHON, '-m', 'unittest'] },
  { kind: 'typescript', test: [process.execPath, '--test'] },
  { kind: 'onnx', test: [process.execPath, '--test'] },
] as const;
const bench = new AuthoringBench();

afterAll(() => bench.close());

describe('sconce new', () => {
  it.each(STARTERS)('makes a $kind starter whose test passes as it is, and which answers what its README says', ({ kind, test }) => {
    const starter = bench.starter(kind);

    const tested = bench.run(test, { cwd: starter });
    const asked = bench.sconce(['run', '.', '-f', 'sample.json', '--quiet'], { cwd: starter });

    expect([tested.status, tested.stdout + tested.stderr]).toEqual([0, expect.stringMatching(kind === 'python' ? /Ran 3 tests/ : /# pass 2/)]);
    expect([asked.status, asked.stderr]).toEqual([0, '']);
    expect(readFileSync(join(starter, 'README.md'), 'utf8')).toContain(asked.stdout);
    expect(existsSync(join(starter, '.gitignore'))).toBe(true);
    for (const file of readdirSync(starter))
      if (!/\.(pt|onnx)$|MAR-INF|__pycache__/.test(file)) expect(readFileSync(join(starter, file), 'utf8')).not.toContain('__NAME__');
  });

  it.each(STARTERS)('makes a $kind starter that is packed without a word of warning, and the archive answers as the folder does', ({ kind }) => {
    const starter = bench.starter(kind);

    const packed = bench.sconce(['pack', '.', '-o', 'points.mar'], { cwd: starter });

    expect([packed.status, packed.stderr]).toEqual([0, '']);
    expect(bench.sconce(['run', 'points.mar', '-f', 'sample.json', '-q'], { cwd: starter }).stdout).toContain('south-east');
  });

  it('refuses with one line what it cannot do, and changes nothing', () => {
    mkdirSync(join(bench.folder, 'taken'));
    writeFileSync(join(bench.folder, 'taken', 'mine'), 'mine');
    writeFileSync(join(bench.folder, 'file'), '');

    const refusals = [['taken'], ['file'], ['../elsewhere'], ['9lives'], ['fine', '--kind', 'cobol']].map((args) => bench.sconce(['new', ...args]));

    for (const { status, stdout, stderr } of refusals) expect([status, stdout, stderr.split('\n').length]).toEqual([1, '', 2]);
    expect(refusals[0]?.stderr).toBe('taken is there already, and is not empty; --force writes into it.\n');
    expect(readdirSync(join(bench.folder, 'taken'))).toEqual(['mine']);
    expect(existsSync(join(bench.folder, 'fine'))).toBe(false);
  });

  it('writes into a folder that is not empty where it is told to, and leaves what it does not know', () => {
    mkdirSync(join(bench.folder, 'forced'));
    writeFileSync(join(bench.folder, 'forced', 'mine'), 'mine');

    expect(bench.sconce(['new', 'forced', '--force']).status).toBe(0);
    expect(readdirSync(join(bench.folder, 'forced'))).toEqual(expect.arrayContaining(['mine', 'handler.py']));
  });
});
