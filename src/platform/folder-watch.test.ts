import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FolderWatch } from './folder-watch.js';

let folder: string;
let watch: FolderWatch;
let touched: number;
let settled: (readonly string[])[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-watch-'));
  touched = 0;
  settled = [];
  write('handler.py', 'a');
  write('lib/part.py', 'a');
  write('venv/lib/x.py', 'a');
  watch = new FolderWatch({
    folder,
    wants: (path) => !path.split('/').includes('venv'),
    touched: () => {
      touched += 1;
    },
    settled: (changed) => settled.push(changed),
    problem: () => undefined,
  });
  await watch.start();
});

afterEach(() => {
  watch.stop();
  rmSync(folder, { recursive: true, force: true });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

/** What has changed, over all that was told since the start, once it holds `path`. */
async function changes(path: string): Promise<readonly string[]> {
  const endAtMs = Date.now() + 8000;
  while (Date.now() < endAtMs) {
    const all = settled.flat();
    if (all.includes(path)) return all;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`8 s passed before a change of ${path} was told: ${JSON.stringify(settled)}`);
}

it('a file that is written is told once it is quiet, and before that that something happens', async () => {
  write('handler.py', 'b');
  write('handler.py', 'c');

  expect(await changes('handler.py')).toEqual(['handler.py']);
  expect(touched).toBeGreaterThanOrEqual(1);
});

it('a file that an editor replaces by another, one in a folder below, and one that goes are told', async () => {
  write('new.tmp', 'b');
  renameSync(join(folder, 'new.tmp'), join(folder, 'handler.py'));
  await changes('handler.py');
  write('lib/part.py', 'b');
  await changes('lib/part.py');
  rmSync(join(folder, 'lib', 'part.py'));
  settled = [];

  expect(await changes('lib/part.py')).toContain('lib/part.py');
});

it('a folder that is made, or replaced by another, is watched too', async () => {
  write('later/a.py', 'a');
  await changes('later/a.py');
  write('later/b.py', 'b');
  await changes('later/b.py');
  rmSync(join(folder, 'lib'), { recursive: true });
  await changes('lib/part.py');
  settled = [];
  write('lib/part.py', 'other');
  await changes('lib/part.py');
  settled = [];
  write('lib/part.py', 'third');

  expect(await changes('lib/part.py')).toContain('lib/part.py');
});

it('a file written again as it was is no change, and what is not wanted is not told of', async () => {
  write('handler.py', 'a');
  utimesSync(join(folder, 'lib', 'part.py'), new Date(), new Date());
  write('venv/lib/x.py', 'b');
  write('last.py', 'b');

  expect(await changes('last.py')).toEqual(['last.py']);
});

it('nothing is told after the end', async () => {
  watch.stop();
  write('handler.py', 'b');
  const second = new FolderWatch({
    folder,
    wants: () => true,
    touched: () => undefined,
    settled: (changed) => settled.push(changed),
    problem: () => undefined,
  });
  await second.start();
  write('lib/part.py', 'b');

  expect(await changes('lib/part.py')).toEqual(['lib/part.py']);
  expect(touched).toBe(0);
  second.stop();
});
