import { createHash } from 'node:crypto';
import {
  copyFileSync,
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { archive } from '../../test/fixtures/archives.js';
import { buildThreads } from '../../test/fixtures/driven-runner.js';
import { modelSources } from '../../test/fixtures/model-sources.js';
import { NO_SCANS } from '../../test/fixtures/no-scans.js';
import { noEnvironments } from '../../test/fixtures/python-environments.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { Authenticity } from '../authenticity/authenticity.js';
import { examine } from '../authenticity/examine.js';
import { ArchiveExists, ArchiveInvalid, ArchiveUnreadable, ChecksumMismatch, LocationRefused } from '../errors/model.js';
import { ScanRefused } from '../errors/scanning.js';
import { SignatureRefused } from '../errors/signature.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';
import { ArchiveCache } from './archive-cache.js';
import { Intake, type IntakeOptions } from './intake.js';
import type { UnpackOutcome, UnpackTask } from './unpack/unpack-thread.js';

const DOUBLE = fileURLToPath(new URL('../../test/fixtures/onnx/double.onnx', import.meta.url));
const SHOUT = fileURLToPath(new URL('../../test/fixtures/handlers/shout.mjs', import.meta.url));
let pool: TaskPool<UnpackTask, UnpackOutcome>;
let folder: string;
let store: string;
let log: KeptLog;

beforeAll(() => {
  buildThreads();
  pool = new TaskPool(threadEntry('./unpack/unpack-thread.js', import.meta.url), 1);
});

afterAll(async () => {
  await pool.stop();
});

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-intake-')));
  store = join(folder, 'store');
  mkdirSync(store);
  log = new KeptLog();
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function intake(over: Partial<IntakeOptions> = {}): Intake {
  return new Intake({
    store,
    sources: modelSources(['file://.*']),
    cache: new ArchiveCache(join(folder, 'cache'), pool, { maxArchiveBytes: 2 ** 20, maxUnpackedBytes: 2 ** 20, maxEntries: 100 }, log),
    scanner: NO_SCANS,
    workDirectory: join(folder, 'work'),
    defaultHandler: undefined,
    envelope: undefined,
    maxArchiveEntries: 100,
    authenticity: undefined,
    environments: noEnvironments(folder, log),
    log,
    ...over,
  });
}

function workFolders(): readonly string[] {
  return existsSync(join(folder, 'work', 'models')) ? readdirSync(join(folder, 'work', 'models')) : [];
}

describe('an archive', () => {
  it('becomes a Python model in a folder of its own, described by its manifest and its YAML', async () => {
    const url = await archive(store, { name: 'dogs', version: '2.0', handler: 'echo.py', config: 'batchSize: 4\n' });
    const one = await intake().admit({ url });
    const two = await intake().admit({ url });

    expect(one).toMatchObject({ name: 'dogs', version: '2.0', url, runtime: 'python', backend: 'python', handler: 'echo.py', downloadedArchive: undefined });
    expect(one.config).toMatchObject({ batchSize: 4, file: 'model-config.yaml' });
    expect(readdirSync(one.directory).sort()).toEqual(['MAR-INF', 'echo.py', 'model-config.yaml']);
    expect(two.directory).not.toBe(one.directory);
    expect(two.contentHash).toBe(one.contentHash);
  });

  it('is called, run and handled as the register call says', async () => {
    const url = await archive(store, { name: 'dogs', handler: 'echo.py' });

    expect(await intake().admit({ url, modelName: 'cats', runtime: 'python3', handler: 'other.py' })).toMatchObject({
      name: 'cats',
      runtime: 'python3',
      handler: 'other.py',
    });
    expect((await intake().admit({ url, modelName: '' })).name).toBe('dogs');
  });

  it('whose manifest has no name needs one from the register call', async () => {
    const url = await archive(store, { name: 'dogs', handler: 'echo.py', manifest: '{"model":{}}' });

    await expect(intake().admit({ url })).rejects.toThrow('Model name is not defined.');
    expect(await intake({ defaultHandler: 'fallback.py' }).admit({ url, modelName: 'cats' })).toMatchObject({ name: 'cats', handler: 'fallback.py' });
  });

  it('with a JavaScript handler or an ONNX file goes to the backend for it', async () => {
    const script = await archive(store, { name: 'loud', handler: 'shout.mjs' });
    const onnx = await archive(store, {
      name: 'double',
      handler: 'noop.py',
      files: { 'double.onnx': readFileSync(DOUBLE) },
      manifest: '{"model":{"modelName":"double"}}',
    });

    expect((await intake().admit({ url: script })).backend).toBe('javascript');
    expect(await intake().admit({ url: onnx })).toMatchObject({ backend: 'onnx', serializedFile: 'double.onnx', directory: expect.stringContaining('cache') });
    expect((await intake().admit({ url: onnx, handler: 'noop.py' })).backend).toBe('python');
  });

  it('that cannot be described leaves nothing in the work folder', async () => {
    const bad = [
      await archive(store, { name: 'a', handler: 'noop.py', manifest: '{}' }),
      await archive(store, { name: 'b', handler: 'noop.py', model: { configFile: 'missing.yaml' } }),
      await archive(store, { name: 'c', handler: 'noop.py', model: { serializedFile: '../x.onnx' } }),
    ];

    for (const url of bad) await expect(intake().admit({ url })).rejects.toSatisfy(ArchiveInvalid.is);
    expect(workFolders()).toEqual([]);
  });

  it('goes with its folder when it is released; what others serve stays', async () => {
    const url = await archive(store, { name: 'dogs', handler: 'echo.py' });
    const [one, two] = [await intake().admit({ url }), await intake().admit({ url })];

    await intake().release(one, { deleteDownloaded: true });

    expect(existsSync(one.directory)).toBe(false);
    expect(existsSync(two.directory)).toBe(true);
    expect(readdirSync(store)).toEqual([url]);
  });
});

describe('a URL', () => {
  it('is brought into the store and goes with the model, where that is wanted', async () => {
    mkdirSync(join(folder, 'there'));
    const url = pathToFileURL(join(folder, 'there', await archive(join(folder, 'there'), { name: 'dogs', handler: 'echo.py' }))).href;

    const model = await intake().admit({ url });
    expect(model).toMatchObject({ name: 'dogs', url, downloadedArchive: join(store, 'dogs.mar') });
    await expect(intake().admit({ url })).rejects.toSatisfy(ArchiveExists.is);

    await intake().release(model, { deleteDownloaded: false });
    expect(readdirSync(store)).toEqual(['dogs.mar']);
    await intake().release(model, { deleteDownloaded: true });
    expect(readdirSync(store)).toEqual([]);
  });

  it('of what is no archive is taken out of the store again', async () => {
    writeFileSync(join(folder, 'junk.mar'), 'junk');

    await expect(intake().admit({ url: pathToFileURL(join(folder, 'junk.mar')).href })).rejects.toSatisfy(ArchiveUnreadable.is);
    expect(readdirSync(store)).toEqual([]);
  });

  it('that is not allowed is not fetched', async () => {
    await expect(intake({ sources: modelSources([]) }).admit({ url: pathToFileURL(DOUBLE).href })).rejects.toSatisfy(LocationRefused.is);
    await expect(intake({ store: undefined }).admit({ url: 'a.mar' })).rejects.toThrow('Model store has not been configured.');
    expect(readdirSync(store)).toEqual([]);
  });
});

describe('what a caller had fetched', () => {
  const served = createServer((request, reply) => {
    if (request.url?.startsWith('/dogs.mar')) createReadStream(join(folder, 'dogs.mar')).pipe(reply);
    else reply.end('no archive');
  });
  let from: string;
  const fetching = () => intake({ sources: modelSources(['.*']) });

  beforeAll(async () => {
    await new Promise<void>((resolve) => served.listen(0, '127.0.0.1', resolve));
    const address = served.address();
    from = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  });

  beforeEach(() => archive(folder, { name: 'dogs', handler: 'echo.py' }));

  afterAll(() => served.close());

  it('is known for it, also when it is named by its name in the store, by a link to it or as a file, and after a restart', async () => {
    await fetching().admit({ url: `${from}/dogs.mar?signature=secret` });
    symlinkSync('dogs.mar', join(store, 'alias.mar'));

    expect((await intake().admit({ url: 'dogs.mar', modelName: 'other', namedBy: 'operator' })).fetched).toBe(true);
    expect((await intake().admit({ url: 'alias.mar' })).fetched).toBe(true);
    expect(readFileSync(join(store, '.dogs.mar.fetched'), 'utf8')).toBe(`{"from":"${from}/dogs.mar"}\n`);
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    expect((await intake({ store: elsewhere }).admit({ url: pathToFileURL(join(store, 'dogs.mar')).href })).fetched).toBe(true);
  });

  it('is no more when it has gone; what else lies in the store and what the operator names is his own', async () => {
    const model = await fetching().admit({ url: `${from}/dogs.mar` });
    expect(model.fetched).toBe(true);
    await archive(store, { name: 'cats', handler: 'echo.py' });
    expect((await intake().admit({ url: 'cats.mar' })).fetched).toBe(false);

    await intake().release(model, { deleteDownloaded: true });

    expect(readdirSync(store)).toEqual(['cats.mar']);
    expect((await fetching().admit({ url: `${from}/dogs.mar`, namedBy: 'operator' })).fetched).toBe(false);
  });

  it('leaves no mark when it is refused, and takes none away that it didn’t set', async () => {
    await expect(fetching().admit({ url: `${from}/cats.mar` })).rejects.toSatisfy(ArchiveUnreadable.is);
    await expect(fetching().admit({ url: `${from}/dogs.mar`, sha256: '0'.repeat(64) })).rejects.toSatisfy(ChecksumMismatch.is);
    expect(readdirSync(store)).toEqual([]);
    await fetching().admit({ url: `${from}/dogs.mar` });

    await expect(fetching().admit({ url: `${from}/dogs.mar` })).rejects.toSatisfy(ArchiveExists.is);

    expect((await intake().admit({ url: 'dogs.mar' })).fetched).toBe(true);
  });
});

describe('a folder of the store', () => {
  it('is served where it lies and stays when the model goes', async () => {
    mkdirSync(join(store, 'loud-one'));
    copyFileSync(SHOUT, join(store, 'loud-one', 'shout.mjs'));
    writeFileSync(join(store, 'loud-one', 'model-config.yaml'), 'batchSize: 2\n');
    symlinkSync('nowhere', join(store, 'loud-one', 'dangling'));

    const model = await intake().admit({ url: 'loud-one', handler: 'shout.mjs' });
    await intake().release(model, { deleteDownloaded: true });

    expect(model).toMatchObject({ name: 'loud_one', version: '1.0', backend: 'javascript', directory: join(store, 'loud-one'), config: { batchSize: 2 } });
    expect(readdirSync(join(store, 'loud-one'))).toContain('shout.mjs');
  });
});

describe('a lone file of the store', () => {
  it('that is ONNX is served with the files beside it that bear its name', async () => {
    copyFileSync(DOUBLE, join(store, 'double.onnx'));
    writeFileSync(join(store, 'double.yaml'), 'maxWorkers: 3\n');
    writeFileSync(join(store, 'double.labels.json'), '{"0":"zero"}');

    const model = await intake().admit({ url: 'double.onnx' });

    expect(model).toMatchObject({ name: 'double', version: '1.0', backend: 'onnx', serializedFile: 'double.onnx', config: { maxWorkers: 3 } });
    expect(readdirSync(model.directory).sort()).toEqual(['double.onnx', 'index_to_name.json', 'model-config.yaml']);
  });

  it('may be links, as a mounted volume has them', async () => {
    mkdirSync(join(store, '..data'));
    copyFileSync(DOUBLE, join(store, '..data', 'blob'));
    writeFileSync(join(store, '..data', 'settings'), 'maxWorkers: 3\n');
    symlinkSync('..data/blob', join(store, 'double.onnx'));
    symlinkSync('..data/settings', join(store, 'double.yaml'));

    const model = await intake().admit({ url: 'double.onnx' });

    expect(model).toMatchObject({ name: 'double', serializedFile: 'double.onnx', config: { maxWorkers: 3 } });
    expect(readFileSync(join(model.directory, 'double.onnx'))).toEqual(readFileSync(DOUBLE));
  });

  it('that is TorchScript gets a manifest and the tensor handler', async () => {
    writeFileSync(join(store, 'net.pt'), 'weights');
    const model = await intake().admit({ url: 'net.pt' });

    expect(model).toMatchObject({ name: 'net', backend: 'python', handler: 'tensor_handler', serializedFile: 'net.pt' });
    expect(JSON.parse(readFileSync(join(model.directory, 'MAR-INF', 'MANIFEST.json'), 'utf8'))).toMatchObject({
      model: { modelName: 'net', serializedFile: 'net.pt' },
    });
  });

  it('whose YAML is too long is refused and leaves nothing behind', async () => {
    for (const name of ['double.onnx', 'double.pt']) copyFileSync(DOUBLE, join(store, name));
    writeFileSync(join(store, 'double.yaml'), '#'.repeat(5 * 2 ** 20));

    for (const url of ['double.onnx', 'double.pt']) await expect(intake().admit({ url })).rejects.toThrow('model-config.yaml is longer than');
    expect(workFolders()).toEqual([]);
  });
});

describe('a SHA-256 that is wished for', () => {
  const sum = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');
  const other = '0'.repeat(64);

  it('is that of an archive or a lone file of the store, or it is refused', async () => {
    copyFileSync(DOUBLE, join(store, 'double.onnx'));
    writeFileSync(join(store, 'double.yaml'), 'maxWorkers: 3\n');
    writeFileSync(join(store, 'net.pt'), 'weights');
    const names = [await archive(store, { name: 'dogs', handler: 'echo.py' }), 'double.onnx', 'net.pt'];

    for (const url of names) {
      const found = sum(join(store, url));
      await expect(intake().admit({ url, sha256: other })).rejects.toThrow(`has the SHA-256 ${found}`);
      expect(workFolders()).toEqual([]);
      const model = await intake().admit({ url, sha256: found.toUpperCase() });
      await intake().release(model, { deleteDownloaded: false });
    }
  });

  it('is none of a folder', async () => {
    mkdirSync(join(store, 'loud'));
    copyFileSync(SHOUT, join(store, 'loud', 'shout.mjs'));

    await expect(intake().admit({ url: 'loud', handler: 'shout.mjs', sha256: other })).rejects.toThrow('loud is a folder, and sha256 is for files');
  });

  it('is asked of what a URL brings, too', async () => {
    writeFileSync(join(folder, 'net.pt'), 'weights');

    await expect(intake().admit({ url: pathToFileURL(join(folder, 'net.pt')).href, sha256: other })).rejects.toSatisfy(ChecksumMismatch.is);
    expect(readdirSync(store)).toEqual([]);
  });
});

describe('a model that nobody trusted has signed', () => {
  it('is refused before it is scanned, which may take long', async () => {
    copyFileSync(DOUBLE, join(store, 'double.onnx'));
    const scanned: string[] = [];
    const scanner = {
      check: async ({ name }: { readonly name: string }) => {
        scanned.push(name);
        throw ScanRefused({ model: name, found: '', more: 0, hash: '' });
      },
    };
    const policy = { file: 'trust.yaml', signers: [], unsigned: [] };
    const asking = (level: 'warn' | 'require') =>
      intake({ scanner, authenticity: new Authenticity({ level, policy, maxFiles: 100, pool: { run: examine }, log }) }).admit({ url: 'double.onnx' });

    await expect(asking('require')).rejects.toSatisfy(SignatureRefused.is);
    expect(scanned).toEqual([]);
    await expect(asking('warn')).rejects.toSatisfy(ScanRefused.is);
    expect(scanned).toEqual(['double']);
    expect(workFolders()).toEqual([]);
  });
});

describe('what a model requires', () => {
  it('is nothing outside Python', async () => {
    copyFileSync(DOUBLE, join(store, 'double.onnx'));
    const taking = intake({ environments: noEnvironments(folder, log, { install: true, interpreter: join(folder, 'no-python') }) });
    const model = await taking.admit({ url: 'double.onnx' });

    expect(await taking.prepare(model, new AbortController().signal)).toBe(model);
  });
});

describe('the archives of tenants', () => {
  const fits = (name: string, own: string) => !name.startsWith('acme-') || !own.startsWith('beta-');

  it('lie in a store of their own where there is one, and nowhere else', async () => {
    const acmes = join(folder, 'acme');
    mkdirSync(acmes);
    const rules = { storeOf: (name: string | undefined) => (name?.startsWith('acme-') ? acmes : undefined), fits };
    await archive(acmes, { name: 'dogs', handler: 'echo.py' });
    await archive(store, { name: 'cats', handler: 'echo.py' });

    expect((await intake({ rules }).admit({ url: 'dogs.mar', modelName: 'acme-dogs' })).name).toBe('acme-dogs');
    await expect(intake({ rules }).admit({ url: 'cats.mar', modelName: 'acme-cats' })).rejects.toMatchObject({ message: 'Model not found at: cats.mar' });
    await expect(intake({ rules }).admit({ url: 'dogs.mar', modelName: 'dogs' })).rejects.toMatchObject({ message: 'Model not found at: dogs.mar' });
  });

  it('come there from URLs too, and a name that is taken elsewhere is free', async () => {
    const acmes = join(folder, 'acme');
    mkdirSync(acmes);
    const rules = { storeOf: () => acmes, fits };
    await archive(store, { name: 'dogs', handler: 'echo.py' });
    const url = pathToFileURL(join(store, 'dogs.mar')).href;

    const model = await intake({ rules, sources: modelSources(['file://.*']) }).admit({ url, modelName: 'acme-dogs' });

    expect(model.downloadedArchive).toBe(join(acmes, 'dogs.mar'));
  });

  it('are not those that lie in a folder of another’s name, and none comes there under such a name', async () => {
    const rules = { storeOf: () => undefined, fits };
    mkdirSync(join(store, 'beta-dogs'));
    await archive(join(store, 'beta-dogs'), { name: 'weights', handler: 'echo.py' });
    const elsewhere = join(folder, 'elsewhere');
    mkdirSync(elsewhere);
    await archive(elsewhere, { name: 'beta-cats', handler: 'echo.py' });
    const url = pathToFileURL(join(elsewhere, 'beta-cats.mar')).href;

    await expect(intake({ rules }).admit({ url: 'beta-dogs/weights.mar', modelName: 'acme-x' })).rejects.toMatchObject({ code: LocationRefused.code });
    await expect(intake({ rules, sources: modelSources(['file://.*']) }).admit({ url, modelName: 'acme-x' })).rejects.toMatchObject({
      code: LocationRefused.code,
    });
    expect(readdirSync(store)).toEqual(['beta-dogs']);
  });

  it('that carry another’s name are not there, be it the file’s or the manifest’s', async () => {
    const rules = { storeOf: () => undefined, fits };
    await archive(store, { name: 'beta-dogs', handler: 'echo.py' });
    copyFileSync(join(store, 'beta-dogs.mar'), join(store, 'plain.mar'));
    await archive(store, { name: 'cats', handler: 'echo.py' });

    for (const url of ['beta-dogs.mar', 'plain.mar', 'nothing.mar'])
      await expect(intake({ rules }).admit({ url, modelName: 'acme-x' })).rejects.toMatchObject({
        message: `Model not found at: ${url}`,
        code: LocationRefused.code,
      });
    expect((await intake({ rules }).admit({ url: 'cats.mar', modelName: 'acme-x' })).name).toBe('acme-x');
    expect((await intake({ rules }).admit({ url: 'plain.mar' })).name).toBe('beta-dogs');
    expect(workFolders()).toHaveLength(2);
  });

  it('are not taken out of the operator’s store unnamed', async () => {
    const rules = { storeOf: (name: string | undefined) => (name?.startsWith('acme-') ? join(folder, 'acme') : undefined), fits };
    await archive(store, { name: 'acme-dogs', handler: 'echo.py' });

    await expect(intake({ rules }).admit({ url: 'acme-dogs.mar' })).rejects.toMatchObject({ message: expect.stringContaining('give model_name') });
  });
});
