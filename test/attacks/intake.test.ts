import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ZipFile } from 'yazl';
import { ArchiveInvalid, ArchiveUnreadable } from '../../src/errors/model.js';
import { ArchiveCache } from '../../src/models/archive-cache.js';
import { Intake } from '../../src/models/intake.js';
import type { UnpackOutcome, UnpackTask } from '../../src/models/unpack/unpack-thread.js';
import { TaskPool, threadEntry } from '../../src/threads/task-pool.js';
import { archive } from '../fixtures/archives.js';
import { buildThreads } from '../fixtures/driven-runner.js';
import { modelSources } from '../fixtures/model-sources.js';
import { NO_SCANS } from '../fixtures/no-scans.js';
import { noEnvironments } from '../fixtures/python-environments.js';
import { KeptLog } from '../fixtures/silent-observer.js';

const LIMITS = { maxArchiveBytes: 2 ** 20, maxUnpackedBytes: 2 ** 27, maxEntries: 200 };
const SOURCES = new URL('../../src/models/', import.meta.url).href;
let pool: TaskPool<UnpackTask, UnpackOutcome>;
let folder: string;
let intake: Intake;

beforeAll(() => {
  buildThreads();
  pool = new TaskPool(threadEntry('./unpack/unpack-thread.js', `${SOURCES}archive-cache.ts`), 1);
});

afterAll(async () => {
  await pool.stop();
});

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-intake-')));
  mkdirSync(join(folder, 'store'));
  mkdirSync(join(folder, 'work'));
  writeFileSync(join(folder, 'canary'), 'sings');
  const log = new KeptLog();
  intake = new Intake({
    store: join(folder, 'store'),
    sources: modelSources([]),
    cache: new ArchiveCache(join(folder, 'cache'), pool, LIMITS, log),
    scanner: NO_SCANS,
    workDirectory: join(folder, 'work'),
    defaultHandler: undefined,
    envelope: undefined,
    maxArchiveEntries: 100,
    authenticity: undefined,
    environments: noEnvironments(folder, log),
    log,
  });
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

type Entry = readonly [name: string, content: string | Buffer, mode?: number];

async function zip(entries: readonly Entry[]): Promise<Buffer> {
  const file = new ZipFile();
  for (const [name, content, mode] of entries) file.addBuffer(Buffer.from(content), name, mode === undefined ? {} : { mode });
  file.end();
  return buffer(file.outputStream);
}

async function tar(entries: readonly (Partial<Header> & { name: string })[], content = ''): Promise<Buffer> {
  const file = pack();
  for (const header of entries) file.entry(header, header.type === undefined ? content : '');
  file.finalize();
  return gzipSync(await buffer(file));
}

/** A zip whose names were changed after a decent tool wrote it. */
async function renamed(entries: readonly Entry[], from: string, to: string): Promise<Buffer> {
  return Buffer.from((await zip(entries)).toString('latin1').replaceAll(from, to), 'latin1');
}

/** Changes a number in the first entry of the central directory. */
async function forged(at: number, change: (before: number) => number): Promise<Buffer> {
  const bytes = await zip([['a.txt', 'content that is compressed, content that is compressed']]);
  const entry = bytes.indexOf('PK\u0001\u0002', 0, 'latin1');
  bytes.writeUInt32LE(change(bytes.readUInt32LE(entry + at)) >>> 0, entry + at);
  return bytes;
}

/** Points the second entry of the central directory at the bytes of the first. */
async function overlapping(): Promise<Buffer> {
  const bytes = await zip([
    ['a', 'the same'],
    ['b', 'the same'],
  ]);
  const second = bytes.lastIndexOf('PK\u0001\u0002', undefined, 'latin1');
  bytes.writeUInt32LE(0, second + 42);
  return bytes;
}

const ZEROS = Buffer.alloc(80 * 2 ** 20);

const ATTACKS: readonly (readonly [string, string, () => Promise<Buffer>])[] = [
  ['.. in a zip', 'a.mar', () => renamed([['xx/evil', 'x']], 'xx/evil', '../evil')],
  ['many .. in a zip', 'a.mar', () => renamed([['m/xx/xx/xx/canary', 'x']], 'm/xx/xx/xx/', 'm/../../../')],
  ['an absolute path in a zip', 'a.mar', () => renamed([['xtmp/evil', 'x']], 'xtmp/evil', '/tmp/evil')],
  ['a backslash path in a zip', 'a.mar', () => renamed([['xx/evil', 'x']], 'xx/evil', '..\\evil')],
  ['a control character in a zip', 'a.mar', () => renamed([['evilx', 'x']], 'evilx', 'evil\n')],
  ['a link in a zip whose name forges a log line', 'a.mar', () => renamed([['linkx', '../../canary', 0o120777]], 'linkx', 'link\n')],
  ['a link in a zip', 'a.mar', () => zip([['link', '../../canary', 0o120777]])],
  [
    'a link in a zip, and a file through it',
    'a.mar',
    () =>
      zip([
        ['link', '../..', 0o120777],
        ['link/canary', 'silent'],
      ]),
  ],
  ['names that differ in case', 'a.mar', async () => zip(['handler.py', 'HANDLER.PY'].map((name) => [name, 'x'] as const))],
  ['a name twice', 'a.mar', () => renamed([...['a1', 'a2'].map((name) => [name, 'x'] as const)], 'a2', 'a1')],
  ['a file that is a folder', 'a.mar', async () => zip(['a', 'a/b'].map((name) => [name, 'x'] as const))],
  ['a folder that is a file', 'a.mar', async () => zip(['a/b', 'a'].map((name) => [name, 'x'] as const))],
  [
    'AR7 XX9 a second manifest in a MAR-INF of other letters',
    'a.mar',
    async () => zip(['MAR-INF/MANIFEST.json', 'mar-inf/manifest.json'].map((name) => [name, '{}'] as const)),
  ],
  ['a path too deep', 'a.mar', () => zip([[`${'d/'.repeat(100)}f`, 'x']])],
  ['a ratio bomb', 'a.mar', () => zip([['zeros', ZEROS]])],
  ['too many bytes', 'a.mar', () => zip([...'ab'].map((name) => [name, ZEROS] as const))],
  ['too many entries', 'a.mar', () => zip(Array.from({ length: 201 }, (_, n) => [`f${n}`, ''] as const))],
  ['too many folders that no entry stands for', 'a.mar', () => zip([...'abcde'].map((name) => [`${name}/${'d/'.repeat(50)}f`, ''] as const))],
  ['a longer archive than may be', 'a.mar', () => zip([['noise', Buffer.from(Array.from({ length: 2 ** 21 }, (_, n) => (n * n * 2654435761) >>> 24))]])],
  ['entries that overlap', 'a.mar', overlapping],
  ['a wrong checksum', 'a.mar', () => forged(16, (sum) => sum ^ 1)],
  ['an encrypted entry', 'a.mar', () => forged(8, (flags) => flags | 1)],
  ['an unknown compression', 'a.mar', () => forged(10, (method) => (method & 0xffff0000) | 99)],
  ['a size that is a lie', 'a.mar', () => forged(24, (size) => size - 1)],
  ['a size of nearly 4 GiB', 'a.mar', () => forged(24, () => 0xfffffffe)],
  ['an entry that begins behind the end', 'a.mar', () => forged(42, () => 0x7fffffff)],
  ['a zip that is cut off', 'a.mar', async () => (await zip([['a', 'x']])).subarray(0, -10)],
  ['an empty file', 'a.mar', async () => Buffer.alloc(0)],
  ['no archive', 'a.mar', async () => Buffer.from('<html>404 not found</html>')],
  ['gzip of junk', 'a.tar.gz', async () => gzipSync('junk'.repeat(1000))],
  ['a gzip header and nothing else', 'a.model', async () => Buffer.from([0x1f, 0x8b])],
  ['a link in a tar', 'a.tar.gz', () => tar([{ name: 'm/link', type: 'symlink', linkname: '../../canary' }])],
  [
    'a link in a tar, and a file through it',
    'a.tar.gz',
    () => tar([{ name: 'm/link', type: 'symlink', linkname: '../..' }, { name: 'm/link/canary' }], 'silent'),
  ],
  ['a hard link in a tar', 'a.tar.gz', () => tar([{ name: 'm/link', type: 'link', linkname: '../../canary' }])],
  ['a device in a tar', 'a.tar.gz', () => tar([{ name: 'm/null', type: 'character-device', devmajor: 1, devminor: 3 }])],
  ['.. in a tar', 'a.tar.gz', () => tar([{ name: 'm/../../../canary' }], 'silent')],
  ['.. as the first component in a tar', 'a.tar.gz', () => tar([{ name: '../canary' }], 'silent')],
  ['an absolute path in a tar', 'a.tar.gz', () => tar([{ name: '/canary' }], 'silent')],
  ['a bomb in a tar', 'a.tar.gz', () => tar([{ name: 'm/zeros' }], ZEROS.toString('latin1'))],
];

/** What must hold after every attack. */
async function unharmed(): Promise<void> {
  expect(readdirSync(join(folder, 'store'))).toHaveLength(1);
  expect(
    readdirSync(folder)
      .filter((name) => name !== 'cache')
      .sort(),
  ).toEqual(['canary', 'store', 'work']);
  expect(readFileSync(join(folder, 'canary'), 'utf8')).toBe('sings');
  for (const place of ['cache', 'work/models']) expect(readdirSync(join(folder, place), { recursive: true }).join()).toBe('');

  const good = await archive(join(folder, 'store'), { name: 'good', handler: 'echo.py' });
  const model = await intake.admit({ url: good });
  expect(readdirSync(model.directory).sort()).toEqual(['MAR-INF', 'echo.py']);
}

describe('the intake refuses', () => {
  beforeEach(() => {
    mkdirSync(join(folder, 'cache'));
    mkdirSync(join(folder, 'work', 'models'));
  });

  it.each(ATTACKS)('%s, writes nothing anywhere, and takes the next good archive', async (_, name, make) => {
    writeFileSync(join(folder, 'store', name), await make());

    await expect(intake.admit({ url: name })).rejects.toSatisfy(
      (error) =>
        ArchiveUnreadable.is(error) &&
        error.message.startsWith(`Failed to save model: ${name} (`) &&
        !/[\n\r]/.test(error.message) &&
        !error.message.includes(folder),
    );
    await unharmed();
  });

  it.each([
    ['AR10 a configFile outside the archive', { configFile: '../../../canary' }],
    ['AR10 a configFile that is a whole path', { configFile: '/etc/hostname' }],
    ['AR10 a serializedFile outside the archive', { serializedFile: '../../../store/other.onnx' }],
    ['AR10 a name with a line break', { modelName: 'a\nINFO all is well' }],
    ['AR10 a version with a line break', { modelVersion: '1\r\nx-evil: 1' }],
    ['AR10 a version with a slash', { modelVersion: '1/../2' }],
  ])('a manifest with %s, and nothing of it stays in the work folder', async (_, model) => {
    const name = await archive(join(folder, 'store'), { name: 'bad', handler: 'echo.py', model });

    await expect(intake.admit({ url: name })).rejects.toSatisfy(ArchiveInvalid.is);
    expect(readdirSync(join(folder, 'work', 'models'))).toEqual([]);
  });
});
