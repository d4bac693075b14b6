import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { availableProcessors, parseCpuList } from '../../src/platform/processors.js';
import { RunningServer } from '../e2e/running-server.js';
import { archive } from '../fixtures/archives.js';
import { workerOf } from '../fixtures/hostile-model.js';
import { aGuardedServer, aToken, bearer, double, keysOf } from '../fixtures/token-servers.js';

const JSON_BODY = { 'content-type': 'application/json' };
const IS_ROOT = process.getuid?.() === 0;
const CORES = new Set(availableProcessors().map(({ core }) => core)).size;

type Wish = Readonly<Record<string, unknown>> & { readonly do: string };

/** Names the tenants of a server that is yet to start. */
function tenantsOf(server: RunningServer, tenants: Readonly<Record<string, object>>): Readonly<Record<string, string>> {
  const file = join(server.folder, 'tenants.yaml');
  writeFileSync(file, JSON.stringify({ tenants }));
  return { sconce_tenants: file };
}

async function serve(server: RunningServer, name: string, files: Readonly<Record<string, string>> = {}): Promise<void> {
  const file = await archive(server.store, { name, handler: 'tenant.py', config: 'responseTimeout: 60\n', files });
  const { text } = await server.manage('POST', `/models?url=${file}&initial_workers=1`);
  expect(text).toContain('registered with 1 initial workers');
}

function ask(server: RunningServer, model: string, wish: Wish, headers: Readonly<Record<string, string>> = {}) {
  return server.predict(model, { body: JSON.stringify(wish), headers: { ...JSON_BODY, ...headers } });
}

async function does<T>(server: RunningServer, model: string, wish: Wish): Promise<T> {
  const { status, text } = await ask(server, model, wish);
  expect([status, text]).toEqual([200, expect.any(String)]);
  return JSON.parse(text) as T;
}

function aSecret(): string {
  return `TENANT-SECRET-${randomBytes(16).toString('hex')}`;
}

function statusOf(pid: number, key: string): string {
  return new RegExp(`^${key}:\\s*(.+)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '';
}

describe('TN2 while one tenant floods a model that several use', () => {
  const server = new RunningServer();

  afterAll(() => server.dispose());

  it('every request of another one finds a place and is answered, and the flood is refused in its stead', async () => {
    const name = 'shared';
    const config = { job_queue_size: '10', default_workers_per_model: '1' };
    const file = await archive(server.store, { name, handler: 'tenant.py', config: 'responseTimeout: 60\n' });
    await server.start({ tokens: true, config, args: ['--models', `${name}=${file}`] });
    const [a, b] = [await aToken(server, 'a', '--tenant', 'a', '--scope', 'infer'), await aToken(server, 'b', '--tenant', 'b', '--scope', 'infer')];
    const outcomes = { served: 0, refused: 0 };
    let isOver = false;
    const flood = Array.from({ length: 40 }, async () => {
      while (!isOver) {
        const { status } = await ask(server, name, { do: 'wait', ms: 25 }, bearer(a));
        if (status === 200) outcomes.served += 1;
        else outcomes.refused += 1;
      }
    });
    await server.eventually(async () => outcomes.refused > 0, 'the line is full');

    const statuses: number[] = [];
    const refusedBefore = outcomes.refused;
    for (let n = 0; n < 15; n += 1) statuses.push((await ask(server, name, { do: 'wait', ms: 25 }, bearer(b))).status);
    isOver = true;
    await Promise.all(flood);

    expect(statuses).toEqual(Array(15).fill(200));
    // The line was full all the time: how turns go there is counted in src/scheduling.
    expect(outcomes.refused).toBeGreaterThan(refusedBefore);
    expect(outcomes.served).toBeGreaterThan(0);
    expect((await ask(server, name, { do: 'wait', ms: 0 }, bearer(keysOf(server).inference))).status).toBe(200);
  });
});

describe('tenants', () => {
  const server = new RunningServer();
  const temporary = join(server.folder, 'temporary');
  const secret = aSecret();

  beforeAll(async () => {
    mkdirSync(temporary);
    const tenants = tenantsOf(server, { a: { models: ['a-*'] }, b: { models: ['b-*'] } });
    const grants = { sconce_grants: JSON.stringify({ 'a-keeper': { environment: ['KEEPERS_SECRET'] } }) };
    await server.start({ config: { ...tenants, ...grants }, env: { TEMP: temporary, KEEPERS_SECRET: secret } });
  });

  afterAll(() => server.dispose());

  afterEach(async () => {
    for (const name of ['a-keeper', 'b-finder']) await server.manage('DELETE', `/models/${name}`);
  });

  it('TN4 leave nothing to find: not in memory that was forked, nor in files, of a model that is served or has been unloaded', async () => {
    await serve(server, 'a-keeper');
    const written = await does<string[]>(server, 'a-keeper', { do: 'keep', secret });
    const own = await does<Found>(server, 'a-keeper', { do: 'find' });
    // What each of them is told to start with passes through the memory of its parent.
    await server.manage('PUT', '/models/a-keeper?min_worker=4&synchronous=true');
    await serve(server, 'b-finder');
    const beside = await does<Found>(server, 'b-finder', { do: 'find' });

    await server.manage('DELETE', '/models/a-keeper');
    await server.manage('DELETE', '/models/b-finder');
    await serve(server, 'b-finder');
    const after = await does<Found>(server, 'b-finder', { do: 'find' });

    // The search finds what is there.
    expect(own.memory).toContain(secret);
    expect(own.files).toEqual(expect.arrayContaining(['/tmp/kept', '/dev/shm/kept'].filter((path) => written.includes(path))));
    expect([beside, after]).toEqual(Array(2).fill({ memory: [], files: [] }));
    expect(filesWith(secret, temporary)).toEqual([]);
    expect(filesWith(secret, '/dev/shm')).toEqual([]);
  });

  it('TN4 are forked from parents of their own, which end with their last worker or with the server', async () => {
    await serve(server, 'a-keeper');
    await serve(server, 'b-finder');

    const [a, b] = [await workerOf(server, 'a-keeper'), await workerOf(server, 'b-finder')];

    expect(statusOf(a, 'PPid')).not.toBe(statusOf(b, 'PPid'));
  });

  it('TN4 have a working copy each, which no other reads and which goes with its model', async () => {
    await serve(server, 'a-keeper', { 'only-here': 'weights' });
    await serve(server, 'b-finder');
    await does(server, 'a-keeper', { do: 'keep', secret });
    const [run = ''] = readdirSync(temporary).filter((name) => name.startsWith('sconce-'));
    const models = join(temporary, run, 'models');
    const copies = readdirSync(models).map((name) => join(models, name, 'only-here'));
    const pid = await workerOf(server, 'a-keeper');
    const paths = [...copies, ...['cwd/only-here', 'cwd/kept', 'root/tmp/kept', 'root/dev/shm/kept'].map((name) => `/proc/${pid}/${name}`)];

    const own = await does<Record<string, string>>(server, 'a-keeper', { do: 'read', paths: copies });
    const other = await does<Record<string, string>>(server, 'b-finder', { do: 'read', paths });
    await server.manage('DELETE', '/models/a-keeper');
    await server.manage('DELETE', '/models/b-finder');

    const isRead = (outcome: string) => outcome.startsWith('read');
    expect(Object.values(own).filter(isRead)).toEqual(['read 7']);
    expect(Object.values(other).filter(isRead)).toEqual([]);
    expect(readdirSync(models)).toEqual([]);
  });

  it('TN2 come back after an end, however often the workers of another end', async () => {
    const file = await archive(server.store, { name: 'a-keeper', handler: 'tenant.py', config: 'crashes: true\nminWorkers: 4\nmaxWorkers: 4\n' });
    await server.manage('POST', `/models?url=${file}&initial_workers=4&synchronous=false`);
    await serve(server, 'b-finder');

    await ask(server, 'b-finder', { do: 'crash' });

    expect(await does(server, 'b-finder', { do: 'wait', ms: 0 })).toBe('waited');
  });
});

describe('TN2 models of tenants that compute on threads of the server', () => {
  const server = new RunningServer();

  afterAll(() => server.dispose());

  it('are answered, every request, while another tenant’s model is flooded', async () => {
    const tenants = tenantsOf(server, { a: { models: ['a-*'] }, b: { models: ['b-*'] } });
    const asThreads = { sconce_grants: JSON.stringify({ 'a-double': { isolation: 'thread' }, 'b-double': { isolation: 'thread' } }) };
    await aGuardedServer({ ...tenants, ...asThreads }, server);
    const operator = bearer(keysOf(server).inference);
    const outcomes = { asked: 0, answered: 0 };
    let isOver = false;
    const flood = Array.from({ length: 30 }, async () => {
      while (!isOver) {
        outcomes.asked += 1;
        if ([200, 503].includes((await double(server, 'a-double', operator)).status)) outcomes.answered += 1;
      }
    });

    const statuses: number[] = [];
    for (let n = 0; n < 30; n += 1) statuses.push((await double(server, 'b-double', operator)).status);
    isOver = true;
    await Promise.all(flood);

    expect(statuses).toEqual(Array(30).fill(200));
    expect(outcomes.answered).toBe(outcomes.asked);
    expect((await double(server, 'a-double', operator)).status).toBe(200);
  });
});

describe.runIf(IS_ROOT)('the memory of a tenant', () => {
  const server = new RunningServer();

  afterAll(() => server.dispose());

  it('TN7 is what all its workers hold together, and running out of it is told and ends nobody else', async ({ skip }) => {
    await server.start({ config: tenantsOf(server, { a: { models: ['a-*'], memory_mb: 400 }, b: { models: ['b-*'] } }) });
    // Nothing to hold it with: that is said, and `strict` would not start.
    skip(server.output.includes('memory_mb of a is not held'), 'no control groups to hold a tenant’s memory with');
    await server.outputHas('tenant-memory: the workers of a are held to it together');
    for (const name of ['a-one', 'a-two', 'b-one']) await serve(server, name);
    const neighbour = await workerOf(server, 'b-one');

    expect(await does(server, 'a-one', { do: 'allocate', mb: 250 })).toBe(250);
    await ask(server, 'a-two', { do: 'allocate', mb: 250 });

    await server.logHas('ts_log.log', 'the workers of its tenant reached the memory limit');
    expect(await does(server, 'b-one', { do: 'allocate', mb: 450 })).toBe(450);
    expect(await workerOf(server, 'b-one')).toBe(neighbour);
  });
});

describe.runIf(process.platform === 'linux' && CORES > 1)('own cores', () => {
  const server = new RunningServer();

  afterAll(() => server.dispose());

  it('are whole, nobody else’s workers nor the server run on them, and their worker can be on no other', async () => {
    await server.start({ config: tenantsOf(server, { a: { models: ['a-*'], own_cores: 1 }, b: { models: ['b-*'] } }) });
    for (const name of ['a-one', 'b-one', 'operators']) await serve(server, name);
    const cpusOf = (pid: number) => parseCpuList(statusOf(pid, 'Cpus_allowed_list'));
    const all = availableProcessors();

    const a = cpusOf(await workerOf(server, 'a-one'));
    const rest = [await workerOf(server, 'b-one'), await workerOf(server, 'operators'), server.pid].map(cpusOf);

    const core = all.find(({ cpu }) => cpu === a[0])?.core;
    expect(a).toEqual(all.filter((one) => one.core === core).map(({ cpu }) => cpu));
    for (const cpus of rest) expect([...cpus, ...a].sort()).toEqual(all.map(({ cpu }) => cpu).sort());
    const isHeld = !server.output.includes('their own code can undo it');
    const wanted = all.map(({ cpu }) => cpu);
    const [asked, other] = [
      await does<{ after: number[] }>(server, 'a-one', { do: 'processors', wanted }),
      await does<{ after: number[] }>(server, 'b-one', { do: 'processors', wanted }),
    ];
    if (isHeld) expect([asked.after, other.after]).toEqual([a, rest[0]]);
  });

  it('that the machine does not have keep the server from starting, which says how many there are', async () => {
    const other = new RunningServer();
    try {
      const start = other.start({ config: tenantsOf(other, { a: { models: ['a-*'], own_cores: CORES } }) });

      await expect(start).rejects.toThrow(`this server may use ${CORES} whole physical cores, and one has to be left for everybody else`);
    } finally {
      await other.dispose();
    }
  });
});

interface Found {
  readonly memory: readonly string[];
  readonly files: readonly string[];
}

/** Files of the machine that hold a text. */
function filesWith(text: string, folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => {
      try {
        return readFileSync(path).includes(text);
      } catch {
        // It has gone meanwhile.
        return false;
      }
    });
}
