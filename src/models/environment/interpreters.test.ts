import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PythonUnusable } from '../../errors/model.js';
import { Interpreters } from './interpreters.js';

let folder: string;
let python: string;
let interpreters: Interpreters;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-python-'));
  python = join(folder, 'python');
  interpreters = new Interpreters({ interpreter: 'python3', named: new Map(), environment: { PATH: process.env.PATH ?? '' } });
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function put(script: string): void {
  writeFileSync(python, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe('an interpreter', () => {
  it('tells what it is, whatever is printed when it starts', async () => {
    put('printf "Welcome, "; exec python3 "$@"');

    const facts = await interpreters.facts(python);

    expect(facts).toMatchObject({ interpreter: python, version: expect.stringMatching(/^3\.\d+\.\d+$/), lacks: [] });
    expect(facts.packagesInVenv).toBe(`lib/python${facts.version.replace(/\.\d+$/, '')}/site-packages`);
    expect(facts.packageFolders.some((path) => existsSync(path))).toBe(true);
  });

  it('is asked once', async () => {
    put(`echo x >> ${folder}/asked\nexec python3 "$@"`);

    for (const _time of [1, 2, 3]) await interpreters.facts(python);

    expect(readFileSync(join(folder, 'asked'), 'utf8')).toBe('x\n');
  });

  it.each([
    ['is not there', undefined, 'it was not found'],
    ['is too old', `echo '{"version": "3.8.18", "served": false}'`, 'it is Python 3.8.18; 3.9 to 3.13 can serve models'],
    ['is something else', 'echo hello', 'it does not answer like a Python interpreter'],
    ['is broken', 'echo "Fatal Python error: init_fs_encoding" >&2; exit 1', 'Fatal Python error: init_fs_encoding'],
    ['ends without a word', 'exit 3', 'it ended with 3'],
  ])('that %s is refused, and asked again when it may have been put right', async (_, script, why) => {
    if (script !== undefined) put(script);

    await expect(interpreters.facts(python)).rejects.toSatisfy(
      (error) => PythonUnusable.is(error) && error.message === `The interpreter ${python} cannot be used: ${why}`,
    );
    put('exec python3 "$@"');
    expect((await interpreters.facts(python)).interpreter).toBe(python);
  });

  it('that may not be run is refused', async () => {
    writeFileSync(python, '');

    await expect(interpreters.facts(python)).rejects.toThrow('it may not be run');
  });
});
