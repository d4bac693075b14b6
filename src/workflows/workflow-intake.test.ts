import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildThreads } from '../../test/fixtures/driven-runner.js';
import { modelSources } from '../../test/fixtures/model-sources.js';
import { NO_SCANS } from '../../test/fixtures/no-scans.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { type WarWish, workflowArchive } from '../../test/fixtures/workflows.js';
import { Authenticity } from '../authenticity/authenticity.js';
import { examine } from '../authenticity/examine.js';
import { SignatureRefused } from '../errors/signature.js';
import { ArchiveCache } from '../models/archive-cache.js';
import type { UnpackOutcome, UnpackTask } from '../models/unpack/unpack-thread.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';
import { WorkflowIntake, type WorkflowIntakeOptions } from './workflow-intake.js';

const SPEC = 'models:\n  a:\n    url: a.mar\ndag:\n  pre: [a]\n';
const FUNCTIONS = 'def pre(data, context):\n    return data\n';
const LIMITS = { maxArchiveBytes: 2 ** 20, maxUnpackedBytes: 2 ** 20, maxEntries: 100 };
let pool: TaskPool<UnpackTask, UnpackOutcome>;
let folder: string;
let store: string;

beforeAll(() => {
  buildThreads();
  pool = new TaskPool(threadEntry('../models/unpack/unpack-thread.js', import.meta.url), 1);
});

afterAll(() => pool.stop());

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'sconce-workflow-intake-')));
  store = join(folder, 'store');
  mkdirSync(store);
});

afterEach(() => rmSync(folder, { recursive: true }));

function anIntake(over: Partial<WorkflowIntakeOptions> = {}): WorkflowIntake {
  return new WorkflowIntake({
    store,
    sources: modelSources(['file://.*']),
    cache: new ArchiveCache(join(folder, 'cache'), pool, LIMITS, new KeptLog()),
    scanner: NO_SCANS,
    workDirectory: join(folder, 'work'),
    authenticity: undefined,
    ...over,
  });
}

const dogs = (over: Partial<WarWish> = {}): WarWish => ({ name: 'dogs', spec: SPEC, functions: FUNCTIONS, ...over });

function manifestWith(workflow: Readonly<Record<string, string>>): string {
  return JSON.stringify({ workflow: { workflowName: 'dogs', specFile: 'spec.yaml', handler: 'functions.py', ...workflow } });
}

describe('a workflow archive', () => {
  it('of the store is read by its base name, wherever the location says it lies', async () => {
    await workflowArchive(store, dogs());

    const admitted = await anIntake().admit('some/where/dogs.war');

    expect(admitted).toMatchObject({ name: 'dogs', url: 'some/where/dogs.war', handler: 'functions.py', downloadedArchive: undefined });
    expect([...admitted.spec.nodes.keys()]).toEqual(['pre', 'a']);
  });

  it("gives each function a folder of its own with the archive's files", async () => {
    await workflowArchive(store, dogs());
    const intake = anIntake();
    const admitted = await intake.admit('dogs.war');

    const one = await intake.functionModel(admitted, 'pre', 'dogs__pre');
    const other = await intake.functionModel(admitted, 'post', 'dogs__post');

    expect(one).toMatchObject({ name: 'dogs__pre', version: '1.0', url: undefined, handler: 'functions.py:pre', backend: 'python' });
    writeFileSync(join(one.directory, 'functions.py'), 'changed');
    expect(readFileSync(join(other.directory, 'functions.py'), 'utf8')).toBe(FUNCTIONS);
  });

  it('behind a URL is copied into the store and goes with the workflow', async () => {
    const url = pathToFileURL(join(folder, await workflowArchive(folder, dogs()))).href;
    const intake = anIntake();

    const admitted = await intake.admit(url);

    expect(readdirSync(store)).toEqual(['dogs.war']);
    await expect(intake.admit(url)).rejects.toMatchObject({ message: 'dogs.war', rendering: { http: 500, type: 'FileAlreadyExistsException' } });
    await intake.release(admitted);
    expect(readdirSync(store)).toEqual([]);
  });

  it('behind a URL that is refused does not stay in the store', async () => {
    const url = pathToFileURL(join(folder, await workflowArchive(folder, dogs({ spec: 'dag: {a: [a]}' })))).href;

    await expect(anIntake().admit(url)).rejects.toMatchObject({ code: 'DAG_INVALID' });

    expect(readdirSync(store)).toEqual([]);
  });

  it.each([
    ['', 'empty url'],
    ['../dogs.war', 'Relative path is not allowed in url: ../dogs.war'],
    ['none.war', 'Workflow not found in workflow store: none.war'],
    ['ftp://host/none.war', 'Workflow not found in workflow store: ftp://host/none.war'],
    ['linked.war', 'Workflow not found in workflow store: linked.war'],
    ['https://host/dogs.war', 'Given URL https://host/dogs.war does not match any allowed URL(s)'],
  ])('at "%s" is not found', async (url, message) => {
    writeFileSync(join(folder, 'outside'), '');
    symlinkSync(join(folder, 'outside'), join(store, 'linked.war'));

    await expect(anIntake().admit(url)).rejects.toMatchObject({ message, rendering: { http: 404, type: 'WorkflowNotFoundException' } });
  });

  it('without a workflow store is not found', async () => {
    await expect(anIntake({ store: undefined }).admit('dogs.war')).rejects.toMatchObject({ message: 'Workflow store has not been configured.' });
  });

  it.each<[string, Partial<WarWish>, string]>([
    [
      'without the specification that it names',
      { manifest: manifestWith({ specFile: 'other.yaml' }) },
      'names a specFile that the archive does not have: other.yaml',
    ],
    [
      'with a specification outside of it',
      { manifest: manifestWith({ specFile: '../../../../../etc/hostname' }) },
      'names a specFile that the archive does not have',
    ],
    [
      'with functions outside of it',
      { manifest: manifestWith({ handler: '../../functions.py' }) },
      'names ../../functions.py as its handler, which is no Python file',
    ],
    ['with functions that are no Python', { manifest: manifestWith({ handler: 'spec.yaml' }) }, 'names spec.yaml as its handler, which is no Python file'],
    ['with functions and no file of them', { functions: undefined }, 'dag names pre: no models of the specification, and the archive has no handler file'],
    ['with a specification that is too long', { spec: `#${'x'.repeat(2 ** 16)}` }, 'spec.yaml is longer than'],
  ])('%s is refused', async (_what, over, message) => {
    await workflowArchive(store, dogs(over));

    await expect(anIntake().admit('dogs.war')).rejects.toMatchObject({ code: 'WORKFLOW_INVALID', message: expect.stringContaining(message) });
    expect(existsSync(join(folder, 'work'))).toBe(false);
  });

  it('that is none is refused with what is wrong with it', async () => {
    writeFileSync(join(store, 'dogs.war'), 'no zip');

    await expect(anIntake().admit('dogs.war')).rejects.toMatchObject({
      code: 'WORKFLOW_INVALID',
      message: expect.stringContaining('The workflow archive cannot be read'),
    });
  });

  it('without a manifest is refused', async () => {
    await workflowArchive(store, dogs({ manifest: '' }));

    await expect(anIntake().admit('dogs.war')).rejects.toMatchObject({ code: 'WORKFLOW_INVALID' });
  });
});

describe('a workflow that is registered under another name than its own', () => {
  it('is scanned as what it is served as: whatever it calls itself, it gets no permit of another', async () => {
    const scanned: string[] = [];
    const scanner = {
      check: async ({ name }: { readonly name: string }) => {
        scanned.push(name);
        return undefined;
      },
    };
    await workflowArchive(store, dogs());

    for (const name of ['cats', undefined, '']) await anIntake({ scanner }).admit('dogs.war', name);

    expect(scanned).toEqual(['cats', 'dogs', 'dogs']);
  });

  it('has to be signed as that', async () => {
    const policy = { file: 'trust.yaml', signers: [], unsigned: ['dogs'] };
    const authenticity = new Authenticity({ level: 'require', policy, maxFiles: 100, pool: { run: examine }, log: new KeptLog() });
    const evidence = new ArchiveCache(join(folder, 'examined'), pool, LIMITS, new KeptLog(), 'evidence');
    await workflowArchive(store, dogs());

    await expect(anIntake({ authenticity, cache: evidence }).admit('dogs.war', 'cats')).rejects.toSatisfy(SignatureRefused.is);
    expect((await anIntake({ authenticity, cache: evidence }).admit('dogs.war')).name).toBe('dogs');
  });
});

describe('the archives of tenants', () => {
  const rules = {
    storeOf: () => undefined,
    fits: (name: string, archive: string) => !name.startsWith('acme-') || !archive.startsWith('beta-'),
  };

  it('that carry another’s name are not there, be it the file’s or the manifest’s', async () => {
    await workflowArchive(store, dogs({ name: 'beta-dogs' }));
    copyFileSync(join(store, 'beta-dogs.war'), join(store, 'plain.war'));

    for (const url of ['beta-dogs.war', 'plain.war', 'nothing.war'])
      await expect(anIntake({ rules }).admit(url, 'acme-x')).rejects.toMatchObject({ message: `Workflow not found in workflow store: ${url}` });
    expect((await anIntake({ rules }).admit('plain.war')).name).toBe('beta-dogs');
  });

  it('take no name in the store that is another’s, who would find them there', async () => {
    await workflowArchive(folder, dogs({ name: 'beta-dogs' }));
    const url = pathToFileURL(join(folder, 'beta-dogs.war')).href;

    await expect(anIntake({ rules }).admit(url, 'acme-x')).rejects.toMatchObject({ code: 'WORKFLOW_LOCATION_REFUSED' });

    expect(readdirSync(store)).toEqual([]);
    expect((await anIntake({ rules }).admit(url, 'beta-x')).downloadedArchive).toBe(join(store, 'beta-dogs.war'));
  });
});
