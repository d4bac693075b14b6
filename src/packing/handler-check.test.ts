import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildThreads } from '../../test/fixtures/driven-runner.js';
import { codes, lay, PackingBench, refusal } from '../../test/fixtures/packing.js';

let bench: PackingBench;
let cwd: string;
let model: string;
const packed: PackingBench['packed'] = (...given) => bench.packed(...given);

beforeAll(() => {
  buildThreads();
});

beforeEach(() => {
  bench = new PackingBench();
  ({ cwd, model } = bench);
});

afterEach(() => bench.close());

describe('the check of a handler', () => {
  it('imports it as a worker does, and touches nothing of the folder', async () => {
    lay(model, { 'handler.py': 'open("written-on-import", "w").close()\nfrom ts.context import Context\ndef handle(data, context):\n    raise SystemExit\n' });

    const result = await packed({ check: true });

    expect(result.findings).toEqual([]);
    expect(readdirSync(model).sort()).toEqual(['handler.py', 'helper.py']);
  });

  it('runs an interpreter that is named by its path from the working directory', async () => {
    lay(cwd, { 'venv/bin/python': '#!/bin/sh\nexec python3 "$@"\n' });
    chmodSync(join(cwd, 'venv/bin/python'), 0o755);

    expect((await packed({ check: true, python: 'venv/bin/python' })).findings).toEqual([]);
  });

  it('that fails refuses the archive with the lines that are the user’s own', async () => {
    lay(model, { 'helper.py': '\nimport surely_not_there\n' });

    const message = await refusal(packed({ check: true }));

    expect(message.split('\n').slice(1)).toEqual([
      '  File "handler.py", line 1, in <module>',
      '    from helper import shout',
      '  File "helper.py", line 2, in <module>',
      '    import surely_not_there',
      "ModuleNotFoundError: No module named 'surely_not_there'",
      'Mend it, name another interpreter with --python, or pack all the same with --no-check.',
    ]);
    expect(existsSync(join(cwd, 'cats.mar'))).toBe(false);
    expect((await packed({ check: false })).sizeBytes).toBeGreaterThan(0);
  });

  it.each([
    ['a syntax error', 'def handle(:\n', ['File "handler.py", line 1', 'SyntaxError']],
    ['two classes', 'class A: pass\nclass B: pass\n', ['Expected only one class in custom service code']],
    ['an end of the interpreter', 'import os\nprint("last words", flush=True)\nos._exit(3)\n', ['last words', 'ended the interpreter (exit code 3)']],
  ])('tells of %s', async (_, source, parts) => {
    lay(model, { 'handler.py': source });

    const message = await refusal(packed({ check: true }));

    for (const part of parts) expect(message).toContain(part);
  });

  it('lets pass what requirements.txt brings, and says that it was not tried', async () => {
    lay(model, { 'helper.py': 'import surely_not_there\n', 'requirements.txt': 'surely-not-there==1.0\n' });

    expect(codes(await packed({ check: true }))).toEqual(['requirements-need-setting', 'handler-not-checked']);
  });

  it('tells of modules that take the place of others', async () => {
    lay(model, { 'json.py': '', 'queue/__init__.py': '', 'string/data.txt': '', 'mine.py': '' });

    const { findings } = await packed({ check: true });

    expect(findings.map(({ message }) => message.split(' ')[0])).toEqual(['json.py', 'queue/']);
  });

  it('says so when the interpreter is not there, and refuses when it was asked for', async () => {
    const empty = join(cwd, 'empty');
    mkdirSync(empty);

    expect(codes(await packed({ check: true }, { PATH: empty }))).toEqual(['handler-not-checked']);
    expect(await refusal(packed({ check: true, python: 'no-such-python', force: true }))).toContain('no-such-python cannot be run');
  });

  it('of a handler that is not in the folder says that', async () => {
    lay(model, { 'MAR-INF/MANIFEST.json': JSON.stringify({ model: { handler: 'nope.py' } }) });

    expect(await refusal(packed({ check: true }))).toContain('the handler nope.py is not in the folder');
    expect(codes(await packed({ check: false }))).toEqual(['handler-missing']);
  });

  it('imports JavaScript too, with its own lines of what goes wrong', async () => {
    const shout = join(cwd, 'shout');
    lay(shout, {
      'handler.mjs': 'import { word } from "./word.mjs";\nexport function handle(requests) { return requests.map(() => word); }\n',
      'word.mjs': 'export const word = "x";\n',
    });
    expect((await packed({ folder: shout, check: true })).findings).toEqual([]);

    lay(shout, { 'word.mjs': 'export const word = nothing.at.all;\n' });
    const message = await refusal(packed({ folder: shout, check: true, force: true }));
    expect(message).toContain('ReferenceError: nothing is not defined');
    expect(message).toContain('at word.mjs:1:21');
  });

  it('of a JavaScript module that exports no handler refuses it', async () => {
    const shout = join(cwd, 'shout');
    lay(shout, { 'handler.mjs': 'export const x = 1;\n' });

    expect(await refusal(packed({ folder: shout, check: true }))).toContain('handler.mjs exports no handler');
  });

  it('that fails for what was left out says how to bring it back', async () => {
    const shout = join(cwd, 'shout');
    lay(shout, { 'handler.mjs': 'export { handle } from "lib";\n', 'node_modules/lib/index.mjs': 'export const handle = () => [];\n' });
    lay(shout, { 'node_modules/lib/package.json': '{"name": "lib", "exports": "./index.mjs"}' });

    expect(await refusal(packed({ folder: shout, check: true }))).toContain('Left out of the archive: node_modules/. A line !PATTERN in .sconceignore');
    lay(shout, { '.sconceignore': '!node_modules/\n' });
    expect((await packed({ folder: shout, check: true })).findings).toEqual([]);
  });
});
