import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findClamd, MARK, RunningClamd, SIGNATURE } from '../../../test/fixtures/clamd.js';
import { ConfigInvalid } from '../../errors/config.js';
import { filesOf } from '../scan-tree.js';
import { Clamd, clamdAddress } from './clamd.js';

const program = findClamd();

describe.skipIf(program === undefined)('a real clamd', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sconce-clamd-'));
  const models = mkdtempSync(join(tmpdir(), 'sconce-clamd-models-'));
  const daemon = new RunningClamd(program ?? '', folder);
  const clamd = new Clamd(clamdAddress(`unix:${daemon.socket}`));

  beforeAll(async () => {
    await daemon.start(100_000);
    writeFileSync(join(models, 'clean.bin'), Buffer.alloc(99_000, 7));
    writeFileSync(join(models, 'marked.bin'), `${'x'.repeat(80_000)}${MARK}`);
    writeFileSync(join(models, 'empty.bin'), '');
    writeFileSync(join(models, 'long.bin'), Buffer.alloc(5_000_000, 7));
  }, 120_000);

  afterAll(async () => {
    await daemon.stop();
    for (const path of [folder, models]) rmSync(path, { recursive: true, force: true });
  });

  it('is asked about every file: what it knows is dangerous, what it will not take is unknown', async () => {
    const found = await clamd.scan({ path: models, files: filesOf(models), archiveHash: undefined });

    expect(found.map(({ level, file, scanner }) => [level, file, scanner]).sort()).toEqual([
      ['dangerous', 'marked.bin', 'clamd'],
      ['unknown', 'long.bin', 'clamd'],
    ]);
    expect(found.map(({ says }) => says).join()).toContain(`is known to ClamAV as ${SIGNATURE}`);
    expect(await clamd.fault()).toBeUndefined();
  }, 60_000);
});

describe('no clamd', () => {
  it('leaves every file unknown, and is told of at start', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sconce-clamd-'));
    writeFileSync(join(folder, 'a.bin'), 'a');
    const clamd = new Clamd(clamdAddress(`unix:${join(folder, 'nobody.sock')}`));

    expect(await clamd.scan({ path: folder, files: filesOf(folder), archiveHash: undefined })).toMatchObject([
      { level: 'unknown', file: 'a.bin', says: expect.stringContaining('ENOENT') },
    ]);
    expect(await clamd.fault()).toContain('clamd cannot be asked');
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(['clamd', 'unix:relative', 'tcp:host', 'http://x'])('is named by %s, which is no address', (text) => {
    expect(() => clamdAddress(text)).toThrow(expect.objectContaining({ code: ConfigInvalid.code }));
  });

  it('over TCP is named by host and port', () => {
    expect(clamdAddress('tcp:[::1]:3310')).toEqual({ host: '::1', port: 3310 });
  });
});
