import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newestSnapshot, type SnapshotReason, snapshotFolder, snapshotName } from './snapshot-files.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-snapshots-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function holds(...names: readonly string[]): void {
  for (const name of names) writeFileSync(join(folder, name), '');
}

describe('the newest snapshot', () => {
  it('is the one of the latest time in its name, whatever the file system says', () => {
    holds('20261126224425812-shutdown.cfg', '20261126224425813-snapshot.cfg', '20251231235959999-startup.cfg');

    expect(newestSnapshot(folder)).toBe('20261126224425813-snapshot.cfg');
  });

  it('is that of the shutdown among those of one millisecond, then that of a change', () => {
    holds('20261126224425812-startup.cfg', '20261126224425812-snapshot.cfg');
    expect(newestSnapshot(folder)).toBe('20261126224425812-snapshot.cfg');

    holds('20261126224425812-shutdown.cfg');
    expect(newestSnapshot(folder)).toBe('20261126224425812-shutdown.cfg');
  });

  it('is none of the other files, nor of folders, nor of a folder that is not there', () => {
    holds('notes.txt', '20261326224425812-startup.cfg', '20261126224425812-startup.cfg.bak', '99999999999999999-snapshot.cfg', 'config.properties');
    mkdirSync(join(folder, '20261126224425812-startup.cfg'));

    expect(newestSnapshot(folder)).toBeUndefined();
    expect(newestSnapshot(join(folder, 'none'))).toBeUndefined();
  });

  it('is looked for in the folder of the logs', () => {
    expect(snapshotFolder({}, '/srv')).toBe('/srv/logs/config');
    expect(snapshotFolder({ LOG_LOCATION: 'there' }, '/srv')).toBe('/srv/there/config');
  });
});

describe("a snapshot's name", () => {
  it('is the local time to the millisecond, and why it is written', () => {
    expect(snapshotName('startup', new Date(2026, 10, 6, 4, 5, 9, 7), undefined)).toBe('20261106040509007-startup.cfg');
  });

  it('is newer than the newest, though the clock was set back or has not moved', () => {
    const now = new Date(2026, 10, 6, 4, 5, 9, 7);

    expect(snapshotName('snapshot', now, '20261106040509007-startup.cfg')).toBe('20261106040509008-snapshot.cfg');
    expect(snapshotName('snapshot', now, '20261231235959999-shutdown.cfg')).toBe('20270101000000000-snapshot.cfg');
  });

  it('is always found as the newest', () => {
    const reason = fc.constantFrom<SnapshotReason>('startup', 'snapshot', 'shutdown');
    const moment = fc.date({ min: new Date(2000, 0, 1), max: new Date(2100, 0, 1), noInvalidDate: true });

    fc.assert(
      fc.property(fc.array(fc.tuple(reason, moment), { minLength: 1, maxLength: 5 }), (steps) => {
        const written: string[] = [];
        for (const [why, now] of steps) written.push(snapshotName(why, now, written.at(-1)));

        for (const name of written) writeFileSync(join(folder, name), '');
        const newest = newestSnapshot(folder);
        for (const name of written) rmSync(join(folder, name));

        expect(newest).toBe(written.at(-1));
        expect(new Set(written).size).toBe(steps.length);
      }),
    );
  });
});
