import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { codes, lay, PACK_LIMITS, PackingBench, refusal } from '../../test/fixtures/packing.js';
import { unpackTarGz } from '../models/unpack/tar.js';
import { UnpackBudget } from '../models/unpack/unpack-limits.js';
import { unpackZip } from '../models/unpack/zip.js';

const DOUBLE = fileURLToPath(new URL('../../test/fixtures/onnx/double.onnx', import.meta.url));
let bench: PackingBench;
let cwd: string;
let model: string;
const packed: PackingBench['packed'] = (...given) => bench.packed(...given);

beforeEach(() => {
  bench = new PackingBench();
  ({ cwd, model } = bench);
});

afterEach(() => {
  vi.unstubAllEnvs();
  bench.close();
});

/** The files of an archive, by the server's own unpacking. */
async function unpacked(archive: string): Promise<Record<string, string>> {
  const folder = mkdtempSync(join(cwd, 'unpacked-'));
  const unpack = archive.endsWith('.mar') ? unpackZip : unpackTarGz;
  await unpack(archive, folder, new UnpackBudget(PACK_LIMITS, 2 ** 30));
  return contents(folder);
}

function contents(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    names.map(({ parentPath, name }) => [join(parentPath, name).slice(folder.length + 1), readFileSync(join(parentPath, name), 'utf8')]),
  );
}

describe('a folder', () => {
  it('is packed without a flag: the usual names tell what they are', async () => {
    lay(model, { 'model-config.yaml': 'batchSize: 2\n', 'requirements.txt': 'numpy==1.26.4\n', 'index_to_name.json': '{}', 'weights/a.bin': 'a' });

    const result = await packed();

    expect(result.output).toBe(join(cwd, 'cats.mar'));
    const files = await unpacked(result.output);
    expect(Object.keys(files).sort()).toEqual([
      'MAR-INF/MANIFEST.json',
      'handler.py',
      'helper.py',
      'index_to_name.json',
      'model-config.yaml',
      'requirements.txt',
      'weights/a.bin',
    ]);
    expect(files['MAR-INF/MANIFEST.json']).toBe(
      JSON.stringify(
        {
          createdOn: '01/01/1980 00:00:00',
          runtime: 'python',
          model: { modelName: 'cats', handler: 'handler.py', modelVersion: '1.0', requirementsFile: 'requirements.txt', configFile: 'model-config.yaml' },
          archiverVersion: '0.12.0',
        },
        undefined,
        2,
      ),
    );
    expect(codes(result)).toEqual(['requirements-need-setting']);
  });

  it('with nothing but an .onnx file is an ONNX model', async () => {
    const onnx = join(cwd, 'onnx');
    mkdirSync(onnx);
    cpSync(DOUBLE, join(onnx, 'double.onnx'));

    const result = await packed({ folder: onnx, check: true });

    expect(result.model).toMatchObject({ name: 'onnx', backend: 'onnx', handler: undefined, serializedFile: 'double.onnx' });
    expect(result.findings).toEqual([]);
  });

  it('that brings a manifest keeps all that it says, but for what flags say otherwise', async () => {
    const manifest = {
      description: 'ours',
      model: { modelName: 'tabby', modelVersion: '3', handler: 'helper.py:shout', envelope: 'json', sourceVocab: 'v.pt' },
    };
    lay(model, { 'MAR-INF/MANIFEST.json': JSON.stringify(manifest), 'v.pt': '' });

    const { output } = await packed({ version: '4' });

    expect(output).toBe(join(cwd, 'tabby.mar'));
    expect(JSON.parse((await unpacked(output))['MAR-INF/MANIFEST.json'] ?? '')).toEqual({
      createdOn: '01/01/1980 00:00:00',
      runtime: 'python',
      model: { modelName: 'tabby', handler: 'helper.py:shout', serializedFile: 'v.pt', modelVersion: '4', envelope: 'json', sourceVocab: 'v.pt' },
      archiverVersion: '0.12.0',
      description: 'ours',
    });
  });

  it('with a broken manifest is refused with the way out', async () => {
    lay(model, { 'MAR-INF/MANIFEST.json': '{}' });

    expect(await refusal(packed())).toContain('Mend it, or take it away: pack writes one.');
  });

  it('gives up what is not meant to be served, and .sconceignore and --exclude have the last word', async () => {
    lay(model, {
      'tests/test_x.py': '',
      '.env': 'SECRET=1',
      '.git/config': '',
      'pyenv/pyvenv.cfg': '',
      'node_modules/a/index.js': '',
      'notes.md': '',
      'old.mar': '',
    });
    lay(model, { '.sconceignore': '*.md\n!node_modules/\n' });

    const result = await packed({ exclude: ['helper.*'] });

    expect(Object.keys(await unpacked(result.output)).sort()).toEqual(['MAR-INF/MANIFEST.json', 'handler.py', 'node_modules/a/index.js']);
    expect(result.leftOut).toEqual(['.env', '.git/', '.sconceignore', 'helper.py', 'notes.md', 'old.mar', 'pyenv/', 'tests/']);
  });

  it('keeps links that stay in it and leaves out those that do not', async () => {
    lay(cwd, { secret: 'x' });
    symlinkSync('helper.py', join(model, 'inside.py'));
    symlinkSync('../secret', join(model, 'outside'));
    symlinkSync('nowhere', join(model, 'broken'));
    symlinkSync('.', join(model, 'again'));

    const result = await packed();

    expect(Object.keys(await unpacked(result.output))).toContain('inside.py');
    expect(result.entries.map(({ name }) => name)).not.toContain('outside');
    expect(codes(result)).toEqual(['endless-link', 'link-to-nothing', 'link-leaves-folder']);
  });

  it('that is the working directory does not pack its own archive', async () => {
    const output = join(model, 'out.tar.gz');
    const first = await packed({ output });
    const again = await packed({ output, force: true });
    await packed({ output: join(model, 'out'), format: 'folder' });
    const folder = await packed({ output: join(model, 'out'), format: 'folder', force: true });

    expect(again.sha256).toBe(first.sha256);
    expect(folder.entries.map(({ name }) => name)).toEqual(['handler.py', 'helper.py', 'out.tar.gz', 'MAR-INF/MANIFEST.json']);
  });

  it.each([
    ['nowhere', 'is not there.'],
    ['cats/handler.py', 'is a file; pack takes the folder'],
  ])('%s: refused', async (folder, why) => {
    expect(await refusal(packed({ folder: join(cwd, folder) }))).toContain(why);
  });
});

describe('flags', () => {
  it("name files as torch-model-archiver's do: of the folder, else from the working directory and then flat", async () => {
    lay(cwd, { 'elsewhere/weights.pt': 'w', 'elsewhere/extra/deep/a.txt': 'a', 'elsewhere/extra/.git/x': '', 'b.txt': 'b', 'c.txt': 'c' });

    const { output, model: described } = await packed({
      name: 'm',
      handler: 'helper:shout',
      serializedFile: 'elsewhere/weights.pt',
      extraFiles: ['elsewhere/extra, [bc].txt'],
    });

    expect(Object.keys(await unpacked(output)).sort()).toEqual([
      'MAR-INF/MANIFEST.json',
      'b.txt',
      'c.txt',
      'deep/a.txt',
      'handler.py',
      'helper.py',
      'weights.pt',
    ]);
    expect(described).toMatchObject({ name: 'm', handler: 'helper:shout', serializedFile: 'weights.pt' });
  });

  it.each([
    [{ serializedFile: 'nope.pt' }, '--serialized-file nope.pt: there is no such file'],
    [{ handler: 'nope' }, '--handler nope: there is no nope.py'],
    [{ handler: 'nope.mjs' }, '--handler nope.mjs: there is no such file'],
    [{ extraFiles: ['nope'] }, 'File does not exist: nope'],
    [{ name: '../m' }, "'../m' is no name for a model"],
    [{ output: 'm.zip' }, 'm.zip must end in .mar'],
    [{ output: 'm.mar', format: 'tgz' }, 'm.mar must end in .tar.gz'],
  ] as const)('%j: refused, and nothing is written', async (over, why) => {
    const before = readdirSync(cwd);

    expect(await refusal(packed(over))).toContain(why);
    expect(readdirSync(cwd)).toEqual(before);
  });

  it('a built-in handler needs no file', async () => {
    expect((await packed({ handler: 'image_classifier', serializedFile: undefined })).model.handler).toBe('image_classifier');
  });
});

describe('an archive', () => {
  it.each([
    ['mar', 'cats.mar'],
    ['mar-store', 'cats.mar'],
    ['tgz', 'cats.tar.gz'],
    ['folder', 'cats-packed'],
  ] as const)('in the format %s holds the same, byte for byte the same each time', async (format, name) => {
    const big = Buffer.alloc(3_000_000, 'weights ');
    writeFileSync(join(model, 'w.bin'), big);
    const twin = join(cwd, 'other', 'place', 'cats');
    const first = await packed({ format, output: name });
    cpSync(model, twin, { recursive: true });
    for (const file of readdirSync(twin)) {
      utimesSync(join(twin, file), 1, 1);
      chmodSync(join(twin, file), 0o700);
    }
    mkdirSync(join(cwd, 'out'));
    vi.stubEnv('TZ', 'Asia/Tokyo');
    const second = await packed({ folder: twin, format, output: `out/${name}` });

    const files = format === 'folder' ? contents(first.output) : await unpacked(first.output);
    expect(files['w.bin']).toBe(big.toString());
    expect(Object.keys(files).sort()).toEqual(['MAR-INF/MANIFEST.json', 'handler.py', 'helper.py', 'w.bin']);
    if (format === 'folder') expect(contents(second.output)).toEqual(files);
    else expect(second.sha256).toBe(first.sha256);
  });

  it('that stores can be read from its front to its end, as Java does: no size comes behind its content', async () => {
    const { output } = await packed({ format: 'mar-store' });
    const bytes = readFileSync(output);

    expect(bytes.readUInt32LE(0)).toBe(0x04034b50);
    expect(bytes.readUInt16LE(6) & 8).toBe(0);
    expect(bytes.readUInt32LE(18)).toBe(readFileSync(join(model, 'handler.py')).length);
    expect(() => execFileSync('python3', ['-m', 'zipfile', '-t', output])).not.toThrow();
  });

  it('that is there is written over by force alone', async () => {
    const first = await packed();

    expect(await refusal(packed())).toBe(`${first.output} already exists. --force writes over it.`);
    expect((await packed({ force: true, version: '2' })).sha256).not.toBe(first.sha256);
    expect(readdirSync(cwd).sort()).toEqual(['cats', 'cats.mar']);
  });

  it('as a folder never replaces a folder that is no archive', async () => {
    expect(await refusal(packed({ format: 'folder', output: 'cats', force: true }))).toContain('is no packed model: it is not replaced');
    expect(existsSync(join(model, 'handler.py'))).toBe(true);
  });

  it('lists its files with their hashes', async () => {
    const { entries, sha256, sizeBytes, output } = await packed();
    const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

    expect(entries.find(({ name }) => name === 'helper.py')).toEqual(expect.objectContaining({ sizeBytes: 33, sha256: hash(join(model, 'helper.py')) }));
    expect([sha256, sizeBytes]).toEqual([hash(output), readFileSync(output).length]);
  });
});
