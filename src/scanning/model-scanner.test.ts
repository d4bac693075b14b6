import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildThreads } from '../../test/fixtures/driven-runner.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { ScanRefused } from '../errors/scanning.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';
import { type ExternalScanner, external } from './external/external-scanner.js';
import { ModelScanner, type ModelScannerOptions, type ScanSubject } from './model-scanner.js';
import type { ScanOutcome, ScanTask } from './scan-thread.js';
import { hashOf } from './scan-tree.js';
import { VerdictCache } from './verdict-cache.js';

const EVIL = Buffer.from("\u0080\u0002cos\nsystem\n(S'x'\ntR.", 'latin1');
const HASH = 'c'.repeat(64);
let pool: TaskPool<ScanTask, ScanOutcome>;
let folder: string;
let directory: string;
let log: KeptLog;

beforeAll(() => {
  buildThreads();
  pool = new TaskPool(threadEntry('./scan-thread.js', import.meta.url), 1);
});

afterAll(() => pool.stop());

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-model-scanner-'));
  directory = join(folder, 'model');
  mkdirSync(directory);
  log = new KeptLog();
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function scanner(over: Partial<ModelScannerOptions> = {}): ModelScanner {
  const cache = new VerdictCache(join(folder, 'scans'), 'rules');
  return new ModelScanner({ level: 'standard', permits: [], pool, cache, external: [], quarantine: undefined, log, ...over });
}

function subject(over: Partial<ScanSubject> = {}): ScanSubject {
  return { name: 'm', directory, contentHash: HASH, isArchive: true, downloaded: undefined, ...over };
}

function opinion(level: 'unknown' | 'dangerous' | undefined): ExternalScanner {
  return { name: 'other', scan: async () => (level === undefined ? [] : [external('other', level, 'a', 'is odd')]), fault: async () => undefined };
}

describe('a verdict', () => {
  it('is kept by the hash of an archive and the rules, for the server alone to read, and found again', async () => {
    writeFileSync(join(directory, 'a.pkl'), EVIL);
    await expect(scanner().check(subject())).rejects.toSatisfy(ScanRefused.is);
    rmSync(join(directory, 'a.pkl'));

    await expect(scanner().check(subject())).rejects.toSatisfy(ScanRefused.is);
    expect(await scanner({ cache: new VerdictCache(join(folder, 'scans'), 'other rules') }).check(subject())).toMatchObject({ verdict: 'clean' });
    expect(await scanner().check(subject({ contentHash: 'd'.repeat(64) }))).toMatchObject({ verdict: 'clean' });
    expect(statSync(join(folder, 'scans', `${HASH}-rules.json`)).mode & 0o777).toBe(0o600);
  });

  it('that was tampered with is none', async () => {
    mkdirSync(join(folder, 'scans'));
    writeFileSync(join(folder, 'scans', `${HASH}-rules.json`), '{"findings": "none"}');
    writeFileSync(join(directory, 'a.pkl'), EVIL);

    await expect(scanner().check(subject())).rejects.toSatisfy(ScanRefused.is);
  });

  it('of a folder is made anew each time: its hash says nothing of its bytes', async () => {
    expect(await scanner().check(subject({ isArchive: false }))).toMatchObject({ verdict: 'clean' });
    writeFileSync(join(directory, 'a.pkl'), EVIL);

    await expect(scanner().check(subject({ isArchive: false }))).rejects.toSatisfy(ScanRefused.is);
    expect(existsSync(join(folder, 'scans'))).toBe(false);
  });
});

describe('a permit', () => {
  it('is the name of the model, the hash of its archive, or those of all files with findings', async () => {
    writeFileSync(join(directory, 'a.pkl'), EVIL);
    const hash = hashOf(join(directory, 'a.pkl'));

    for (const permit of ['m', HASH, `sha256:${HASH.toUpperCase()}`, hash])
      expect(await scanner({ permits: [permit] }).check(subject()), permit).toMatchObject({ verdict: 'dangerous', permittedBy: expect.any(String) });
    for (const permit of ['M', 'mm', 'a.pkl', '', '*']) await expect(scanner({ permits: [permit] }).check(subject()), permit).rejects.toSatisfy(ScanRefused.is);
    writeFileSync(join(directory, 'b.pkl'), Buffer.concat([EVIL, EVIL]));
    await expect(scanner({ permits: [hash] }).check(subject({ contentHash: 'e'.repeat(64) }))).rejects.toSatisfy(ScanRefused.is);
  });

  it('by the hash of a file does not speak for what another scanner says', async () => {
    writeFileSync(join(directory, 'a.pkl'), EVIL);
    const permits = [hashOf(join(directory, 'a.pkl'))];

    await expect(scanner({ permits, external: [opinion('dangerous')] }).check(subject())).rejects.toSatisfy(ScanRefused.is);
  });
});

describe('another scanner', () => {
  it('may refuse and cannot acquit', async () => {
    await expect(scanner({ external: [opinion('dangerous')] }).check(subject())).rejects.toThrow('a is odd [other]');
    expect(await scanner({ external: [opinion('unknown')] }).check(subject())).toMatchObject({ verdict: 'unknown', scanners: ['sconce', 'other'] });
    await expect(scanner({ level: 'require', external: [opinion('unknown')] }).check(subject())).rejects.toSatisfy(ScanRefused.is);
    writeFileSync(join(directory, 'a.pkl'), EVIL);
    await expect(scanner({ external: [opinion(undefined)] }).check(subject({ isArchive: false }))).rejects.toSatisfy(ScanRefused.is);
  });

  it('that does not work is told of at start', async () => {
    const gone: ExternalScanner = { ...opinion(undefined), fault: async () => 'other is not there' };

    expect(await scanner({ external: [gone] }).protection()).toMatchObject({
      name: 'scanning',
      holds: false,
      says: expect.stringContaining('other is not there'),
    });
    expect(await scanner({ external: [opinion(undefined)] }).protection()).toMatchObject({ holds: true, says: expect.stringContaining('sconce, other') });
    expect(await scanner({ level: 'off' }).protection()).toMatchObject({ holds: false });
  });
});

describe('a refused download', () => {
  it('is kept with its report where there is a quarantine; what lay in the store already is not', async () => {
    writeFileSync(join(directory, 'a.pkl'), EVIL);
    const downloaded = join(folder, 'a.mar');
    writeFileSync(downloaded, 'the archive');
    const quarantine = join(folder, 'quarantine');

    await expect(scanner({ quarantine }).check(subject())).rejects.toSatisfy(ScanRefused.is);
    expect(existsSync(quarantine)).toBe(false);
    await expect(scanner({ quarantine }).check(subject({ downloaded }))).rejects.toSatisfy(ScanRefused.is);

    expect(readdirSync(quarantine).sort()).toEqual([HASH, `${HASH}.json`]);
    expect(readFileSync(join(quarantine, HASH), 'utf8')).toBe('the archive');
    expect(log.lines.join('\n')).toContain(`is kept as ${join(quarantine, HASH)}`);
  });
});
