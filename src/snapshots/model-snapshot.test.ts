import { describe, expect, it } from 'vitest';
import { modelSnapshotJson, parseModelSnapshot, type SnapshotVersion } from './model-snapshot.js';

/** As KServe's documentation has it. */
const HAND_WRITTEN =
  '{"name":"startup.cfg","modelCount":1,"models":{"mnist":{"1.0":{"defaultVersion":true,"marName":"mnist.mar","minWorkers":1,"maxWorkers":5,"batchSize":1,"maxBatchDelay":10,"responseTimeout":120}}}}';
const ENTRY = { defaultVersion: true, marName: 'm.mar', minWorkers: 1, maxWorkers: 2, batchSize: 1, maxBatchDelay: 100 };

function withEntry(over: object): string {
  return JSON.stringify({ models: { m: { '1.0': { ...ENTRY, ...over } } } });
}

function aVersion(over: Partial<SnapshotVersion> = {}): SnapshotVersion {
  return {
    model: 'm',
    version: '1.0',
    isDefault: true,
    archive: 'm.mar',
    minWorkers: 1,
    maxWorkers: 2,
    batchSize: 3,
    maxBatchDelayMs: 55,
    responseTimeoutS: 77,
    startupTimeoutS: 121,
    runtime: 'python',
    handler: undefined,
    parallelLevel: undefined,
    ...over,
  };
}

describe('a model snapshot', () => {
  it('is read as people write it: on one line, without startupTimeout and runtimeType', () => {
    expect(parseModelSnapshot(HAND_WRITTEN)).toEqual([
      aVersion({
        model: 'mnist',
        archive: 'mnist.mar',
        maxWorkers: 5,
        batchSize: 1,
        maxBatchDelayMs: 10,
        responseTimeoutS: 120,
        startupTimeoutS: undefined,
        runtime: undefined,
      }),
    ]);
  });

  it('is read as Gson reads it: numbers as texts, no quotes around names, a negative figure for none', () => {
    const json =
      "{models: {m: {'1.0': {defaultVersion: 'true', marName: m.mar, minWorkers: '1', maxWorkers: 2, batchSize: 3, maxBatchDelay: -10000, responseTimeout: null}}}}";

    expect(parseModelSnapshot(json)).toEqual([
      aVersion({ maxBatchDelayMs: undefined, responseTimeoutS: undefined, startupTimeoutS: undefined, runtime: undefined }),
    ]);
  });

  it('has the keys of TorchServe, and is read back as it was', () => {
    const versions = [aVersion(), aVersion({ version: '2', isDefault: false, handler: 'h:f' }), aVersion({ model: '__proto__', parallelLevel: 4 })];

    const json = modelSnapshotJson('20261126224425812-snapshot.cfg', 1_795_732_829_310, versions);

    expect(JSON.parse(json)).toMatchObject({
      name: '20261126224425812-snapshot.cfg',
      modelCount: 3,
      created: 1_795_732_829_310,
      models: { m: { '1.0': { defaultVersion: true, marName: 'm.mar', minWorkers: 1, maxWorkers: 2, batchSize: 3, maxBatchDelay: 55 } } },
    });
    expect(json).toContain(
      '      "1.0": {\n        "defaultVersion": true,\n        "marName": "m.mar",\n        "minWorkers": 1,\n        "maxWorkers": 2,\n        "batchSize": 3,\n        "maxBatchDelay": 55,\n        "responseTimeout": 77,\n        "startupTimeout": 121,\n        "runtimeType": "python"\n      }',
    );
    const readBack = parseModelSnapshot(json);
    expect(new Set(readBack)).toEqual(new Set(versions.map((version) => ({ ...version, parallelLevel: undefined }))));
  });

  it.each([
    ['', 'it ends too early'],
    [HAND_WRITTEN.slice(0, -20), 'Malformed JSON at character'],
    ['[]', 'the whole: it must be an object'],
    ['{}', 'models: it must be an object'],
    ['{"models": {"m": []}}', 'models.m: it must be an object'],
    ['{"models": {"m": {"1.0": 7}}}', 'models.m.1.0: it must be an object'],
    [withEntry({ marName: undefined }), 'models.m.1.0.marName: it must be a text'],
    [withEntry({ marName: '' }), 'models.m.1.0.marName: it must not be empty'],
    [withEntry({ defaultVersion: undefined }), 'models.m.1.0.defaultVersion: it must be true or false'],
    [withEntry({ minWorkers: 1e9, maxWorkers: 1e9 }), 'models.m.1.0.minWorkers: it must be a whole number from 0 to 1000'],
    [withEntry({ minWorkers: -1 }), 'models.m.1.0.minWorkers: it must be a whole number from 0 to 1000'],
    [withEntry({ maxWorkers: 0 }), 'models.m.1.0.maxWorkers: it must not be less than minWorkers'],
    [withEntry({ batchSize: 1.5 }), 'models.m.1.0.batchSize: it must be a whole number from 1 to 2147483647'],
    [withEntry({ batchSize: 'many' }), 'models.m.1.0.batchSize: it must be a whole number from 1 to 2147483647'],
    [withEntry({ runtimeType: 'cobol' }), 'models.m.1.0.runtimeType: it must be python, python3 or LSP'],
  ])('%j is refused with what is wrong and where', (json, why) => {
    expect(() => parseModelSnapshot(json)).toThrow(why);
  });
});
