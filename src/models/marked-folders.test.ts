import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { COMPLETE, MarkedFolders } from './marked-folders.js';

const LONG_AGO = new Date(Date.now() - 40 * 86_400_000);
let folder: string;
let root: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-marked-'));
  root = join(folder, 'cache');
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(folder, { recursive: true, force: true });
});

/** Folders as a server has them that has just started. */
function started(): MarkedFolders {
  return new MarkedFolders(root, new KeptLog());
}

function made(name: string, { whole, at = new Date() }: { whole: boolean; at?: Date }): void {
  mkdirSync(join(root, name, 'tree'), { recursive: true });
  if (whole) writeFileSync(join(root, name, COMPLETE), '');
  utimesSync(join(root, name, ...(whole ? [COMPLETE] : [])), at, at);
}

describe('folders', () => {
  it('are given once they have their marker', async () => {
    const folders = started();
    made('whole', { whole: true });
    made('half', { whole: false });

    expect(await Promise.all([folders.give('whole'), folders.give('half'), folders.give('absent')])).toEqual([true, false, false]);
    expect(folders.home('whole')).toBe(join(root, 'whole'));
  });

  it('that nobody used for long and that are half made are pruned, and no others', async () => {
    made('unused', { whole: true, at: LONG_AGO });
    made('recent', { whole: true });
    made('half-made', { whole: false, at: LONG_AGO });
    made('being-made', { whole: false });

    await started().prune();

    expect(readdirSync(root).sort()).toEqual(['being-made', 'recent']);
  });

  it('that this server gave out stay, however long ago, and no other server prunes them either', async () => {
    const folders = started();
    made('given', { whole: true });
    await folders.give('given');
    utimesSync(join(root, 'given', COMPLETE), LONG_AGO, LONG_AGO);

    await folders.prune();
    await started().prune();

    expect(readdirSync(root)).toEqual(['given']);
  });

  it('that are in use are marked as used every day', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const folders = started();
    made('given', { whole: true });
    await folders.give('given');
    const marker = join(root, 'given', COMPLETE);
    utimesSync(marker, LONG_AGO, LONG_AGO);

    vi.advanceTimersByTime(86_400_000);

    await vi.waitFor(() => expect(statSync(marker).mtimeMs).toBeGreaterThan(LONG_AGO.getTime()));
  });

  it('that are not there yet cannot be pruned', async () => {
    await started().prune();

    expect(existsSync(root)).toBe(false);
  });
});
