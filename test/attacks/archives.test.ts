import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { deflateRawSync, gzipSync } from 'node:zlib';
import { pack, type Header as TarHeader } from 'tar-stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { unpackTarGz } from '../../src/models/unpack/tar.js';
import { UnpackBudget, type UnpackLimits } from '../../src/models/unpack/unpack-limits.js';
import { unpackZip } from '../../src/models/unpack/zip.js';

const LIMITS: UnpackLimits = { maxArchiveBytes: 2 ** 30, maxUnpackedBytes: 2 ** 30, maxEntries: 1000 };
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-attack-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function zipOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(files)) zip.addBuffer(Buffer.from(content), name);
  zip.end();
  return buffer(zip.outputStream);
}

/** Replaces text everywhere in an archive by text of the same length: names that a decent tool would not write. */
function rewritten(archive: Buffer, from: string, to: string): Buffer {
  return Buffer.from(archive.toString('latin1').replaceAll(from, to), 'latin1');
}

function tarOf(entries: readonly { readonly header: Partial<TarHeader> & { name: string }; readonly content?: string }[]): Promise<Buffer> {
  const tar = pack();
  for (const { header, content } of entries) tar.entry(header, content ?? '');
  tar.finalize();
  return buffer(tar).then((bytes) => gzipSync(bytes));
}

/** Unpacks into a fresh folder beside others, and gives why it was refused; undefined when it wasn't. */
async function attack(archive: Buffer, format: 'zip' | 'tar.gz', limits: Partial<UnpackLimits> = {}): Promise<string | undefined> {
  const file = join(folder, 'archive');
  const target = join(folder, 'target');
  writeFileSync(file, archive);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  const budget = new UnpackBudget({ ...LIMITS, ...limits }, archive.length);
  const refused = await (format === 'zip' ? unpackZip : unpackTarGz)(file, target, budget).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  );
  expect(readdirSync(folder).sort()).toEqual(['archive', 'target']);
  return refused;
}

/** What every attack ends with: a good archive is still taken. */
async function goodOnesPass(): Promise<void> {
  expect(await attack(await zipOf({ 'MAR-INF/MANIFEST.json': '{}', 'a/b.txt': 'fine' }), 'zip')).toBeUndefined();
  expect(readFileSync(join(folder, 'target', 'a', 'b.txt'), 'utf8')).toBe('fine');
}

describe('a zip', () => {
  it.each([
    ['climbs out by dots', 'xx/evil.txt', '../evil.txt'],
    ['climbs out in the middle', 'a/xx/xx/evil', 'a/../../evil'],
    ['names an absolute path', 'xetc/evil', '/etc/evil'],
    ['names a drive', 'cx/evil.txt', 'c:/evil.txt'],
    ['uses backslashes', 'xx/evil.txt', '..\\evil.txt'],
    ['hides a control character', 'evilx.txt', 'evil\u0001.txt'],
    ['hides a NUL', 'evilx.txt', 'evil\u0000.txt'],
  ])('AR1 that %s is refused', async (_, honest, evil) => {
    expect(await attack(rewritten(await zipOf({ [honest]: 'x' }), honest, evil), 'zip')).toBeDefined();
    await goodOnesPass();
  });

  it('AR2 AR3 with a symbolic link or a device is refused', async () => {
    for (const mode of [0o120777, 0o020666, 0o060666, 0o010666]) {
      const zip = new ZipFile();
      zip.addBuffer(Buffer.from('/etc/passwd'), 'link', { mode });
      zip.end();
      expect(await attack(await buffer(zip.outputStream), 'zip')).toContain('link or a device');
    }
    await goodOnesPass();
  });

  it('AR6 AR7 with two entries of one name, or names that differ only in case or accents, is refused', async () => {
    const twice = rewritten(await zipOf({ 'a.txt': '1', 'b.txt': '2' }), 'b.txt', 'a.txt');
    const cased = await zipOf({ 'handler.py': '1', 'Handler.py': '2' });
    const accents = await zipOf({ 'caf\u00e9': '1', 'cafe\u0301': '2' });
    const fileAndFolder = await zipOf({ a: '1', 'a/b': '2' });

    for (const archive of [twice, cased, accents, fileAndFolder]) expect(await attack(archive, 'zip')).toBeDefined();
    await goodOnesPass();
  });

  it('AR4 AR5 that is a bomb is refused by its ratio, its size or its count, and stops early', async () => {
    const bomb = await zipOf({ 'zeros.bin': Buffer.alloc(100 * 2 ** 20) });
    const many = await zipOf(Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`f${n}`, ''])));

    expect(await attack(bomb, 'zip')).toContain('grows more than');
    expect(await attack(bomb, 'zip', { maxUnpackedBytes: 1000 })).toContain('more than 1000 bytes');
    expect(await attack(many, 'zip', { maxEntries: 49 })).toContain('more than 49 entries');
    expect(await attack(await zipOf({ [`${'d/'.repeat(60)}f`]: '' }), 'zip', { maxEntries: 49 })).toContain('more than 49 entries');
    await goodOnesPass();
  });

  it('AR4 whose entries share their bytes is refused', async () => {
    expect(await attack(overlapping(), 'zip')).toContain('overlap');
    await goodOnesPass();
  });

  it('AR6 AR8 that is cut off, damaged, encrypted or no zip at all is refused', async () => {
    const good = await zipOf({ 'a.txt': 'some content that is long enough to be compressed, some content' });
    const damaged = Buffer.from(good);
    damaged[40] = (damaged[40] ?? 0) ^ 0xff;
    const encrypted = Buffer.from(good);
    for (let at = encrypted.indexOf('PK\u0001\u0002', 0, 'latin1'); at >= 0; at = -1) encrypted.writeUInt16LE(encrypted.readUInt16LE(at + 8) | 1, at + 8);

    for (const archive of [good.subarray(0, good.length - 30), damaged, encrypted, Buffer.from('not an archive'), Buffer.alloc(0)])
      expect(await attack(archive, 'zip')).toBeDefined();
    await goodOnesPass();
  });

  it('AR6 that lies about the size of an entry is refused', async () => {
    const archive = await zipOf({ 'a.txt': 'x'.repeat(1000) });
    const at = archive.indexOf('PK\u0001\u0002', 0, 'latin1');
    archive.writeUInt32LE(10, at + 24);

    expect(await attack(archive, 'zip')).toBeDefined();
    await goodOnesPass();
  });

  it('AR5 with a path that is too deep or too long is refused', async () => {
    expect(await attack(await zipOf({ [`${'d/'.repeat(80)}f`]: 'x' }), 'zip')).toContain('too long or too deep');
    expect(await attack(await zipOf({ ['n'.repeat(300)]: 'x' }), 'zip')).toContain('too long or too deep');
    await goodOnesPass();
  });
});

describe('a tar.gz', () => {
  it.each<[string, Partial<TarHeader> & { name: string }]>([
    ['a symbolic link', { name: 'm/link', type: 'symlink', linkname: '/etc/passwd' }],
    ['a hard link', { name: 'm/link', type: 'link', linkname: 'm/handler.py' }],
    ['a character device', { name: 'm/null', type: 'character-device' }],
    ['a block device', { name: 'm/disk', type: 'block-device' }],
    ['a pipe', { name: 'm/pipe', type: 'fifo' }],
    ['a path that climbs out', { name: 'm/../../evil', type: 'file' }],
    ['an absolute path', { name: '/evil', type: 'file' }],
  ])('AR1 AR2 AR3 with %s is refused', async (_, header) => {
    expect(await attack(await tarOf([{ header: { name: 'm/handler.py', type: 'file' }, content: 'x' }, { header }]), 'tar.gz')).toBeDefined();
    await goodOnesPass();
  });

  it.each([
    ['an entry twice', ['m/a', 'm/a']],
    ['entries that become one without their first folders', ['m/a', 'n/a']],
    ['names that differ only in case', ['m/a', 'm/A']],
    ['a file that is a folder too', ['m/a', 'm/a/b']],
    ['a name with a control character', ['m/a\u0001']],
    ['a backslash', ['m\\a']],
    ['a path that is too deep', [`m/${'d/'.repeat(80)}f`]],
  ])('AR5 AR6 AR7 with %s is refused', async (_, names) => {
    expect(await attack(await tarOf(names.map((name) => ({ header: { name, type: 'file' }, content: 'x' }))), 'tar.gz')).toBeDefined();
    await goodOnesPass();
  });

  it('AR8 that is cut off is refused, wherever the cut is', async () => {
    const good = await tarOf([{ header: { name: 'm/a', type: 'file' }, content: 'some content'.repeat(100) }]);

    for (const length of [0, 1, 10, 30, good.length - 8, good.length - 1]) expect(await attack(good.subarray(0, length), 'tar.gz')).toBeDefined();
    await goodOnesPass();
  });

  it.each([
    ['m/a/b.txt', 'a/b.txt'],
    ['./b.txt', 'b.txt'],
    ['b.txt', 'b.txt'],
    ['./m/b.txt', 'm/b.txt'],
  ])('with %s gives %s, as TorchServe has it', async (name, path) => {
    const made = tarOf([{ header: { name: './', type: 'directory' } }, { header: { name, type: 'file' }, content: 'fine' }]);

    expect(await attack(await made, 'tar.gz')).toBeUndefined();
    expect(readFileSync(join(folder, 'target', path), 'utf8')).toBe('fine');
  });

  it('loses the first component of its paths, as TorchServe has it, and nothing else', async () => {
    expect(await attack(await tarOf([{ header: { name: 'm/a/b.txt', type: 'file' }, content: 'fine' }]), 'tar.gz')).toBeUndefined();

    expect(readFileSync(join(folder, 'target', 'a', 'b.txt'), 'utf8')).toBe('fine');
    expect(existsSync(join(folder, 'target', 'm'))).toBe(false);
  });

  it('AR4 AR8 that is a bomb, or gzip of junk, is refused', async () => {
    const bomb = await tarOf([{ header: { name: 'm/zeros', type: 'file' }, content: '\u0000'.repeat(100 * 2 ** 20) }]);

    expect(await attack(bomb, 'tar.gz')).toContain('grows more than');
    expect(await attack(gzipSync('junk, not a tar'), 'tar.gz')).toBeDefined();
    expect(await attack(Buffer.from('junk'), 'tar.gz')).toBeDefined();
    await goodOnesPass();
  });
});

/** Two central entries that point at one local file: by hand, since no tool writes it. */
function overlapping(): Buffer {
  const content = Buffer.from('shared');
  const data = deflateRawSync(content);
  const crc = 0x12345678;
  const local = Buffer.alloc(30 + 1);
  local.write('PK\u0003\u0004', 0, 'latin1');
  local.writeUInt16LE(20, 4);
  local.writeUInt16LE(8, 8);
  local.writeUInt32LE(crc, 14);
  local.writeUInt32LE(data.length, 18);
  local.writeUInt32LE(content.length, 22);
  local.writeUInt16LE(1, 26);
  local.write('a', 30);
  const central = (name: string) => {
    const entry = Buffer.alloc(46 + 1);
    entry.write('PK\u0001\u0002', 0, 'latin1');
    entry.writeUInt16LE(20, 4);
    entry.writeUInt16LE(20, 6);
    entry.writeUInt16LE(8, 10);
    entry.writeUInt32LE(crc, 16);
    entry.writeUInt32LE(data.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(1, 28);
    entry.write(name, 46);
    return entry;
  };
  const directory = Buffer.concat([central('a'), central('b')]);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 0, 'latin1');
  end.writeUInt16LE(2, 8);
  end.writeUInt16LE(2, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(local.length + data.length, 16);
  return Buffer.concat([local, data, directory, end]);
}
