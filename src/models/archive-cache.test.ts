import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { archive } from '../../test/fixtures/archives.js';
import { buildThreads } from '../../test/fixtures/driven-runner.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { ArchiveUnreadable } from '../errors/model.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';
import { ArchiveCache } from './archive-cache.js';
import type { UnpackOutcome, UnpackTask } from './unpack/unpack-thread.js';

const LIMITS = { maxArchiveBytes: 2 ** 20, maxUnpackedBytes: 2 ** 20, maxEntries: 100 };
let folder: string;
let root: string;
let pool: TaskPool<UnpackTask, UnpackOutcome>;
let log: KeptLog;
let file: string;

beforeAll(() => {
  buildThreads();
});

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-cache-'));
  root = join(folder, 'cache');
  pool = new TaskPool(threadEntry('./unpack/unpack-thread.js', import.meta.url), 2);
  log = new KeptLog();
  file = join(folder, await archive(folder, { name: 'echo', handler: 'echo.py' }));
});

afterEach(async () => {
  await pool.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A cache as a server has it that has just started. */
function started(over: Partial<typeof LIMITS> = {}): ArchiveCache {
  return new ArchiveCache(root, pool, { ...LIMITS, ...over }, log);
}

function timesUnpacked(): number {
  return log.lines.filter((line) => line.startsWith('INFO Unpacked')).length;
}

describe('an archive', () => {
  it('is unpacked once for all that ask at a time, and not again by the next server', async () => {
    const cache = started();
    const trees = await Promise.all([cache.tree(file, 'echo.mar'), cache.tree(file, 'echo.mar'), cache.tree(file, 'echo.mar')]);
    const later = await started().tree(file, 'echo.mar');

    expect(new Set([...trees, later].map((tree) => tree.folder)).size).toBe(1);
    expect(later).toEqual({ folder: join(root, later.hash, 'tree'), hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(readdirSync(later.folder).sort()).toEqual(['MAR-INF', 'echo.py']);
    expect(timesUnpacked()).toBe(1);
    expect(readdirSync(root)).toEqual([later.hash]);
  });

  it('of the same name with other bytes has another tree', async () => {
    const cache = started();
    const { hash } = await cache.tree(file, 'echo.mar');
    await archive(folder, { name: 'echo', handler: 'echo.py', files: { 'more.txt': 'more' } });

    expect((await cache.tree(file, 'echo.mar')).hash).not.toBe(hash);
    expect(timesUnpacked()).toBe(2);
  });

  it('that is broken, missing or too long is refused, leaves nothing behind and may be put right', async () => {
    const cache = started();
    const good = readFileSync(file);
    writeFileSync(file, good.subarray(0, good.length - 30));

    await expect(cache.tree(file, 'echo.mar')).rejects.toSatisfy(ArchiveUnreadable.is);
    await expect(started({ maxArchiveBytes: 10 }).tree(file, 'echo.mar')).rejects.toThrow('Failed to save model: echo.mar (it is longer than 10 bytes)');
    await expect(cache.tree(join(folder, 'missing.mar'), 'missing.mar')).rejects.toThrow('ENOENT');
    expect(existsSync(root) ? readdirSync(root) : []).toEqual([]);

    writeFileSync(file, good);
    expect(readdirSync((await cache.tree(file, 'echo.mar')).folder)).toContain('echo.py');
  });

  it('whose tree lost its marker, as a clean-up that was stopped leaves it, is unpacked anew', async () => {
    const { folder: tree, hash } = await started().tree(file, 'echo.mar');
    rmSync(join(root, hash, '.complete'));
    rmSync(join(tree, 'echo.py'));

    expect(readdirSync((await started().tree(file, 'echo.mar')).folder)).toContain('echo.py');
    expect(timesUnpacked()).toBe(2);
  });
});
