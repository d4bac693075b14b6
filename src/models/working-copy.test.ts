import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyTree, placeFile, workingFolder } from './working-copy.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-copy-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('a working copy', () => {
  it('lies in a fresh folder below the run, and no two are the same', async () => {
    const [one, two] = await Promise.all([workingFolder(folder), workingFolder(folder)]);

    expect(one).not.toBe(two);
    expect(dirname(one)).toBe(join(folder, 'models'));
    expect(existsSync(two)).toBe(true);
  });

  it('may be written to without a trace in the tree it is from', async () => {
    mkdirSync(join(folder, 'tree', 'deep', 'empty'), { recursive: true });
    writeFileSync(join(folder, 'tree', 'deep', 'a.txt'), 'as it was');
    const copy = await workingFolder(folder);

    await copyTree(join(folder, 'tree'), copy);
    writeFileSync(join(copy, 'deep', 'a.txt'), 'changed');

    expect(readFileSync(join(folder, 'tree', 'deep', 'a.txt'), 'utf8')).toBe('as it was');
    expect(lstatSync(join(copy, 'deep', 'empty')).isDirectory()).toBe(true);
  });

  it('links to what is very large instead of copying it', async () => {
    mkdirSync(join(folder, 'tree'));
    writeFileSync(join(folder, 'tree', 'weights.bin'), '');
    truncateSync(join(folder, 'tree', 'weights.bin'), 65 * 2 ** 20);
    const copy = await workingFolder(folder);

    await copyTree(join(folder, 'tree'), copy);

    expect(lstatSync(join(copy, 'weights.bin')).isSymbolicLink()).toBe(true);
  });
});

describe('a file of the store', () => {
  it('is placed whole, also where the store holds a relative link to it', async () => {
    mkdirSync(join(folder, 'store'));
    writeFileSync(join(folder, 'store', 'blob'), 'weights');
    symlinkSync('blob', join(folder, 'store', 'net.onnx'));
    const copy = await workingFolder(folder);

    await placeFile(join(folder, 'store', 'blob'), join(copy, 'plain.onnx'));
    await placeFile(join(folder, 'store', 'net.onnx'), join(copy, 'net.onnx'));

    expect(readFileSync(join(copy, 'plain.onnx'), 'utf8')).toBe('weights');
    expect(readFileSync(join(copy, 'net.onnx'), 'utf8')).toBe('weights');
  });
});
