import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aDescription, aServableModel, KeptModelService } from '../../test/fixtures/kept-model-service.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { parseProperties } from '../config/properties.js';
import { parseModelSnapshot, type SnapshotVersion } from './model-snapshot.js';
import { SnapshotKeeper } from './snapshot-keeper.js';
import { SnapshottingModels } from './snapshotting-models.js';

const SETTINGS = { sources: new Map([['job_queue_size', { text: '7', source: 'file' as const, where: 'c:1' }]]), configFile: '/srv/c' };
let parent: string;
let folder: string;
let models: KeptModelService;
let log: KeptLog;
let keeper: SnapshotKeeper;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'sconce-keeper-'));
  folder = join(parent, 'logs', 'config');
  models = new KeptModelService();
  models.versions.push(aDescription(), aDescription({ model: aServableModel({ version: '2.0', url: 'm2.mar' }), minWorkers: 2, maxWorkers: 3 }));
  log = new KeptLog();
  keeper = new SnapshotKeeper({ folder, settings: SETTINGS, storeOf: () => undefined, models, log, now: () => new Date(2026, 10, 26, 22, 44, 25, 812) });
});

afterEach(() => {
  rmSync(parent, { recursive: true });
});

function filesOf(): readonly string[] {
  return readdirSync(folder).sort();
}

/** What the file says is served: model, version, and whether it is the default. */
function servedIn(name: string | undefined): readonly (readonly [string, string, boolean])[] {
  return read(name).map(({ model, version, isDefault }) => [model, version, isDefault]);
}

function read(name: string | undefined): readonly SnapshotVersion[] {
  const properties = parseProperties(readFileSync(join(folder, name ?? ''), 'latin1'), 'snapshot');
  return parseModelSnapshot(properties.find(({ key }) => key === 'model_snapshot')?.value ?? '');
}

function lost(over: Partial<SnapshotVersion> = {}): SnapshotVersion {
  return { ...(read('20261126224425812-startup.cfg')[0] as SnapshotVersion), model: 'lost', archive: 'lost.mar', isDefault: true, ...over };
}

describe('a snapshot', () => {
  it('is a file for its owner alone, with the settings and then the models, and nothing beside it', async () => {
    await keeper.save('startup');

    expect(filesOf()).toEqual(['20261126224425812-startup.cfg']);
    const file = join(folder, '20261126224425812-startup.cfg');
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(parseProperties(readFileSync(file, 'latin1'), 'f').map(({ key }) => key)).toEqual(['job_queue_size', 'tsConfigFile', 'model_snapshot']);
    expect(read('20261126224425812-startup.cfg')).toMatchObject([
      { model: 'm', version: '1.0', isDefault: true, archive: 'm.mar', minWorkers: 1, maxWorkers: 1, batchSize: 1, maxBatchDelayMs: 100 },
      { model: 'm', version: '2.0', isDefault: false, archive: 'm2.mar', minWorkers: 2, maxWorkers: 3 },
    ]);
  });

  it('gets a name of its own in the same millisecond, and one that is newer', async () => {
    await keeper.save('startup');
    await keeper.save('snapshot');

    expect(filesOf()).toEqual(['20261126224425812-startup.cfg', '20261126224425813-snapshot.cfg']);
  });

  it('is shared by changes that come while another is written, and is of the last of them', async () => {
    const first = keeper.save('startup');
    models.versions.splice(1);
    const second = keeper.save('snapshot');
    models.versions.splice(0);
    const third = keeper.save('snapshot');

    await Promise.all([first, second, third]);

    expect(servedIn(filesOf()[0])).toHaveLength(0);
    expect(filesOf()).toHaveLength(1);
  });

  it('that cannot be written is warned of, and the next one is tried', async () => {
    mkdirSync(join(parent, 'logs'));
    writeFileSync(folder, 'in the way');

    await keeper.save('startup');
    expect(log.lines).toEqual([expect.stringMatching(/^WARN The startup snapshot could not be written to .*config: .*EEXIST/)]);
    rmSync(folder);
    await keeper.save('snapshot');

    expect(filesOf()).toEqual(['20261126224425812-snapshot.cfg']);
  });

  it('of the start takes away what a server left that was killed while it wrote, and no file that grows', async () => {
    for (const name of ['.saving-old', '.saving-new']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, '.saving-old', '20261126224425811-snapshot.cfg'), 'half of');
    utimesSync(join(folder, '.saving-old'), 0, 0);

    await keeper.save('startup');

    expect(filesOf()).toEqual(['.saving-new', '20261126224425812-startup.cfg']);
  });

  it('of the shutdown is the last one', async () => {
    await keeper.save('shutdown');
    models.versions.splice(0);
    await keeper.save('snapshot');

    expect(filesOf()).toEqual(['20261126224425812-shutdown.cfg']);
  });
});

describe('what could not be restored', () => {
  it('stays in the snapshots to come, as the default that it was', async () => {
    await keeper.save('startup');
    keeper.carry([lost(), lost({ model: 'm', version: '3.0' })]);
    await keeper.save('snapshot');

    expect(new Set(servedIn('20261126224425813-snapshot.cfg'))).toEqual(
      new Set([
        ['m', '1.0', false],
        ['m', '2.0', false],
        ['m', '3.0', true],
        ['lost', '1.0', true],
      ]),
    );
  });

  it('is the default no longer when another version is made it', async () => {
    await keeper.save('startup');
    keeper.carry([lost({ model: 'm', version: '3.0' })]);

    new SnapshottingModels(models, keeper).setDefault('m', '2.0');
    await keeper.settled();

    expect(new Set(servedIn('20261126224425813-snapshot.cfg'))).toEqual(
      new Set([
        ['m', '1.0', false],
        ['m', '2.0', true],
        ['m', '3.0', false],
      ]),
    );
  });

  it('is unregistered by its name, and then it is unknown', async () => {
    await keeper.save('startup');
    keeper.carry([lost()]);
    const snapshotting = new SnapshottingModels(models, keeper);

    await snapshotting.unregister('lost', '1.0');

    expect(servedIn('20261126224425813-snapshot.cfg').map(([model]) => model)).toEqual(['m', 'm']);
    await expect(snapshotting.unregister('lost', undefined)).rejects.toThrow('Model not found: lost');
  });

  it('is carried no longer when it is registered again', async () => {
    await keeper.save('startup');
    keeper.carry([lost()]);
    models.registered = () => ({ model: 'lost', version: '1.0', minWorkers: 0, workers: 'none' });

    await new SnapshottingModels(models, keeper).register({ url: 'lost.mar', synchronous: true, s3SseKms: false });

    expect(servedIn('20261126224425813-snapshot.cfg').map(([model]) => model)).toEqual(['m', 'm']);
  });
});

describe('the models behind snapshots', () => {
  it('are on the disk when a change is answered: each change, and no question', async () => {
    const snapshotting = new SnapshottingModels(models, keeper);
    const counts: number[] = [];
    const count = () => counts.push(filesOf().length);

    await snapshotting.register({ url: 'm.mar', synchronous: true, s3SseKms: false });
    count();
    await snapshotting.scale({ model: 'm', version: undefined, minWorkers: 1, maxWorkers: 1, synchronous: true });
    count();
    await snapshotting.unregister('m', '2.0');
    count();
    snapshotting.setDefault('m', '2.0');
    await keeper.settled();
    count();
    snapshotting.list();
    snapshotting.describe('m', undefined);
    snapshotting.describeAll('m');
    await keeper.settled();
    count();

    expect(counts).toEqual([1, 2, 3, 4, 4]);
  });

  it('are not written after a change that failed, unless what was written meanwhile has come to nothing', async () => {
    const snapshotting = new SnapshottingModels(models, keeper);
    await keeper.save('startup');
    const refused = () => snapshotting.scale({ model: 'none', version: undefined, minWorkers: 1, maxWorkers: 1, synchronous: true });

    await expect(refused()).rejects.toThrow('Model not found: none');
    expect(filesOf()).toHaveLength(1);

    models.versions.splice(1);
    await expect(refused()).rejects.toThrow('Model not found: none');
    expect(servedIn(filesOf()[1])).toEqual([['m', '1.0', true]]);
  });
});
