import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { RunningServer } from './running-server.js';

let server: RunningServer;

beforeEach(() => {
  server = new RunningServer();
});

afterEach(() => server.dispose());

function snapshotFolder(): string {
  return join(server.folder, 'logs', 'config');
}

/** Names of the snapshots without their times, oldest first. */
function reasons(): readonly string[] {
  return snapshots().map((name) => name.slice('20261126224425812-'.length));
}

function snapshots(): readonly string[] {
  return readdirSync(snapshotFolder()).sort();
}

async function stop(): Promise<void> {
  server.signal('SIGTERM');
  expect(await server.exited).toBe(0);
}

/** What describe says of every version of every model, but for what each start gives anew. */
async function describeAll(): Promise<unknown> {
  const { models } = (await server.manage('GET', '/models')).json() as { models: { modelName: string }[] };
  const versions = await Promise.all(models.map(async ({ modelName }) => (await server.manage('GET', `/models/${modelName}/all`)).json()));
  const anew = new Set(['id', 'startTime', 'memoryUsage', 'pid', 'loadedAtStartup']);
  return [models, JSON.parse(JSON.stringify(versions, (key, value: unknown) => (anew.has(key) ? undefined : value)))];
}

/** Starts without a config, and gives the exit code of a server that must refuse to. */
async function refusedStart(): Promise<number | null> {
  await expect(server.start({ snapshots: 'restore' })).rejects.toThrow('the server ended before');
  return server.exited;
}

const JSON_BODY = { headers: { 'content-type': 'application/json' } };

describe('a server that is started again', () => {
  it('serves what it served: models, versions, defaults, workers, batches and time-outs', async () => {
    const first = await archive(server.store, { name: 'two', version: '1.0', handler: 'noop.py' });
    const second = await archive(server.store, { name: 'two', version: '2.0', handler: 'noop.py', config: 'minWorkers: 1\nmaxWorkers: 1\nbatchSize: 8\n' });
    const plain = await archive(server.store, {
      name: 'plain',
      handler: 'scripted.py',
      files: { 'other.py': 'def handle(data, context):\n    return ["other"] * len(data or [])\n' },
    });
    await server.start({ snapshots: 'write', args: ['--models', first], config: { default_workers_per_model: '1', job_queue_size: '7' } });
    const changes: readonly (readonly [string, string])[] = [
      ['POST', `/models?url=${second}&initial_workers=1&response_timeout=33&max_batch_delay=5`],
      ['PUT', '/models/two/2.0?min_worker=2&max_worker=3&synchronous=true'],
      ['PUT', '/models/two/2.0/set-default'],
      ['POST', `/models?url=${plain}&model_name=named&handler=other.py:handle&batch_size=4&startup_timeout=44&initial_workers=1`],
      ['POST', `/models?url=${plain}&model_name=gone`],
      ['DELETE', '/models/gone'],
    ];
    for (const [method, path] of changes) expect((await server.manage(method, path)).status).toBe(200);
    const before = await describeAll();
    await stop();

    await server.start({ snapshots: 'restore', config: { job_queue_size: '99' } });

    expect(await describeAll()).toEqual(before);
    expect((await server.predict('two')).text).toBe('ok');
    expect((await server.predict('named')).text).toBe('other');
    expect((await server.manage('GET', '/models/two')).json()).toMatchObject([
      { modelVersion: '2.0', minWorkers: 2, maxWorkers: 3, batchSize: 8, maxBatchDelay: 5, responseTimeout: 33, jobQueueStatus: { remainingCapacity: 7 } },
    ]);
    await server.outputHas('config.properties is not read: the newest snapshot goes before it');
    expect(reasons()).toEqual(['startup.cfg', ...Array.from({ length: 6 }, () => 'snapshot.cfg'), 'shutdown.cfg', 'startup.cfg']);
  });

  it('has lost nothing that was answered, though it was killed at once', async () => {
    const file = await archive(server.store, { name: 'm', handler: 'noop.py' });
    await server.start({ snapshots: 'write' });
    expect((await server.manage('POST', `/models?url=${file}&initial_workers=1`)).status).toBe(200);
    server.signal('SIGKILL');
    await server.exited;

    await server.start({ snapshots: 'restore' });

    expect((await server.predict('m')).text).toBe('ok');
  });

  it('neither reads nor writes them with --ncs', async () => {
    const file = await archive(server.store, { name: 'm', handler: 'noop.py' });
    await server.start({ snapshots: 'write' });
    await server.manage('POST', `/models?url=${file}`);
    await stop();
    const before = snapshots();

    await server.start();
    await server.manage('POST', `/models?url=${file}&model_name=other`);
    await stop();
    await server.start({ snapshots: 'restore', args: ['--ncs', '--model-store', server.store] });

    expect((await server.manage('GET', '/models')).json()).toEqual({ models: [] });
    expect(snapshots()).toEqual(before);
  });

  it('goes on without the model whose archive is broken now, and does not forget it', async () => {
    const file = await archive(server.store, { name: 'm', handler: 'noop.py' });
    const good = await archive(server.store, { name: 'good', handler: 'noop.py' });
    await server.start({ snapshots: 'write' });
    await server.manage('POST', `/models?url=${file}&initial_workers=1`);
    await server.manage('POST', `/models?url=${good}&initial_workers=1`);
    await stop();
    const whole = readFileSync(join(server.store, file));
    writeFileSync(join(server.store, file), 'no archive');

    await server.start({ snapshots: 'restore' });
    await server.outputHas(`Failed to load model: ${file}`);
    expect((await server.predict('good')).text).toBe('ok');
    expect((await server.predict('m')).status).toBe(404);
    await stop();
    writeFileSync(join(server.store, file), whole);
    await server.start({ snapshots: 'restore' });

    expect((await server.predict('m')).text).toBe('ok');
  });
});

describe("KServe's config.properties", () => {
  const HAND_WRITTEN = (marName: string) =>
    `{"name":"startup.cfg","modelCount":1,"models":{"mnist":{"1.0":{"defaultVersion":true,"marName":"${marName}","minWorkers":1,"maxWorkers":5,"batchSize":2,"maxBatchDelay":500,"responseTimeout":90}}}}`;

  it.each(['write', undefined] as const)('with its model_snapshot on one line serves that, and nothing of load_models (snapshots: %s)', async (snapshots) => {
    const file = await archive(server.store, { name: 'mnist', handler: 'noop.py', config: 'minWorkers: 3\nmaxWorkers: 3\nbatchSize: 9\nstartupTimeout: 77\n' });
    await archive(server.store, { name: 'other', handler: 'noop.py' });

    await server.start({ ...(snapshots === undefined ? {} : { snapshots }), config: { load_models: 'all', model_snapshot: HAND_WRITTEN(file) } });

    expect((await server.manage('GET', '/models')).json()).toEqual({ models: [{ modelName: 'mnist', modelUrl: file }] });
    expect((await server.manage('GET', '/models/mnist')).json()).toMatchObject([
      { minWorkers: 1, maxWorkers: 5, batchSize: 2, maxBatchDelay: 500, responseTimeout: 90, startupTimeout: 77, loadedAtStartup: false },
    ]);
    expect((await server.predict('mnist', { body: '{}', ...JSON_BODY })).text).toBe('ok');
  });

  it('with an archive of another version serves it as what it is, and says so', async () => {
    const file = await archive(server.store, { name: 'mnist', version: '3.5', handler: 'noop.py' });

    await server.start({ config: { model_snapshot: HAND_WRITTEN(file) } });

    expect((await server.manage('GET', '/models/mnist')).json()).toMatchObject([{ modelVersion: '3.5', batchSize: 2 }]);
    await server.outputHas(`${file} is version 3.5, not 1.0 as the snapshot says: model mnist is served as 3.5`);
  });

  it('with no model in it starts empty', async () => {
    await server.start({ config: { load_models: 'all', model_snapshot: '{"name":"startup.cfg","modelCount":0,"models":{}}' } });

    expect((await server.manage('GET', '/models')).json()).toEqual({ models: [] });
    await server.outputHas('Model snapshot is empty.');
  });
});

describe('a snapshot that cannot be restored', () => {
  let newest: string;
  let content: string;

  beforeEach(async () => {
    const file = await archive(server.store, { name: 'm', handler: 'noop.py' });
    await server.start({ snapshots: 'write' });
    await server.manage('POST', `/models?url=${file}`);
    await stop();
    newest = join(snapshotFolder(), snapshots().at(-1) ?? '');
    content = readFileSync(newest, 'latin1');
  });

  it('for its archive is gone stops the start with its name', async () => {
    rmSync(join(server.store, 'm.mar'));

    expect(await refusedStart()).toBe(1);
    await server.outputHas(
      `Invalid snapshot: ${newest}: Model archive file for model :m, version :1.0 not found in model store: no m.mar in ${server.store} (the file is left as it is`,
    );
  });

  it.each<readonly [string, (whole: string) => string, string]>([
    ['has lost its end', (whole) => whole.slice(0, -40), 'model_snapshot cannot be read: Malformed JSON at character'],
    ['has lost its second half', (whole) => whole.slice(0, whole.indexOf('model_snapshot')), 'model_snapshot is missing'],
    ['is empty', () => '', 'model_snapshot is missing'],
    [
      'names a path out of the store',
      (whole) => whole.replace('m.mar', '../../etc/passwd'),
      'model m, version 1.0: Relative path is not allowed in url: ../../etc/passwd',
    ],
    ['names a folder elsewhere', (whole) => whole.replace('m.mar', '/etc'), 'version :1.0 not found in model store: no /etc in'],
    ['names a URL', (whole) => whole.replace('m.mar', 'http://127.0.0.1:1/x.mar'), 'http://127.0.0.1:1/x.mar is a URL, not a name in the model store'],
    [
      'wants a billion workers',
      (whole) => whole.replace('"minWorkers": 0', '"minWorkers": 1000000000'),
      'models.m.1.0.minWorkers: it must be a whole number from 0 to 1000',
    ],
  ])('for it %s stops the start with one line, and stays as it is', async (_, damage, why) => {
    const damaged = damage(content);
    writeFileSync(newest, damaged, 'latin1');
    const before = snapshots();

    expect(await refusedStart()).toBe(1);

    expect(damaged).not.toBe(content);
    const lines = server.output.split('\n').filter((line) => line.startsWith('Invalid snapshot: '));
    expect(lines).toEqual([expect.stringContaining(`${newest}: `)]);
    expect(lines[0]).toContain(why);
    expect(server.output).not.toContain('    at ');
    expect(snapshots()).toEqual(before);
    expect(readFileSync(newest, 'latin1')).toBe(damaged);
  });
});

it('a folder of logs that cannot hold snapshots is warned of, and the server runs', async () => {
  const file = await archive(server.store, { name: 'm', handler: 'noop.py' });
  await server.start();
  await stop();
  writeFileSync(snapshotFolder(), 'in the way');

  await server.start({ snapshots: 'write' });

  await server.outputHas('The startup snapshot could not be written to');
  expect((await server.manage('POST', `/models?url=${file}&initial_workers=1`)).status).toBe(200);
  expect((await server.predict('m')).text).toBe('ok');
  await stop();
});
