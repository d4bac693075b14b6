import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { alive } from '../fixtures/python-workers.js';
import { type HttpResult, RunningServer } from './running-server.js';

const server = new RunningServer();
const TWO_RANKS = 'parallelType: tp\ntorchrun:\n  nnodes: 1\n  nproc-per-node: 2\n';
const ROW = [1, -2, 3.5, 0, 5, 0.25, -7, 8];

interface Rank {
  readonly pid: number;
  readonly agent: number;
  /** A process that it has just started. */
  readonly started: number | null;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string | null>>;
  readonly threads: number;
}

function ask(model: string, wish: unknown): Promise<HttpResult> {
  return server.predict(model, { body: JSON.stringify(wish), headers: { 'content-type': 'application/json' } });
}

async function ranksOf(model: string, wish: unknown = { do: 'nothing' }): Promise<readonly Rank[]> {
  const { status, text } = await ask(model, wish);
  expect([status, text]).toEqual([200, expect.any(String)]);
  return JSON.parse(text);
}

async function registered(name: string, handler: string, config: string, workers = 1): Promise<HttpResult> {
  const file = await archive(server.store, { name, handler, config });
  return server.manage('POST', `/models?url=${file}&initial_workers=${workers}`);
}

interface Described {
  readonly parallelType: string;
  readonly parallelLevel: number;
  readonly workers: readonly { readonly id: string; readonly pid: number; readonly status: string; readonly memoryUsage: number }[];
  readonly crashes?: readonly {
    readonly cause: string;
    readonly during: string;
    readonly requestIds: readonly string[];
    readonly lastLines: readonly string[];
  }[];
}

async function described(model: string): Promise<Described> {
  return JSON.parse((await server.manage('GET', `/models/${model}`)).text)[0];
}

/** torchrun and the ranks of a model's workers, as `ps` would show them. */
function processesOf(model: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && commandOf(name).includes(`-${model}_1.0`))
    .map(Number)
    .filter(alive);
}

function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1');
  } catch {
    // It has gone meanwhile.
    return '';
  }
}

/** Waits for the group that comes after the one of `before`. */
async function replaced(model: string, before: readonly Rank[]): Promise<void> {
  await server.eventually(async () => {
    const { workers } = await described(model);
    return workers.every(({ pid, status }) => status === 'READY' && pid !== before[0]?.agent);
  }, `${model} is ready again`);
}

function logged(text: string): Promise<void> {
  return server.eventually(async () => server.log('model_log.log').includes(text), `the model log says "${text}"`);
}

/** Sums of several terms differ in their last digits with the shape of what is multiplied. */
function closeTo(values: unknown): unknown {
  return Array.isArray(values) ? values.map(closeTo) : expect.closeTo(Number(values), 4);
}

let whole: unknown;

beforeAll(async () => {
  // Looked at from outside, by the numbers that their ranks know themselves by. The others' ranks are enclosed, as by default.
  await server.start({ config: { sconce_grants: '{"split": {"sandbox": "off"}, "last": {"sandbox": "off"}}' } });
  expect((await registered('whole', 'split_linear.py', 'batchSize: 4\n')).status).toBe(200);
  whole = JSON.parse((await ask('whole', { x: ROW })).text).y;
  expect((await registered('split', 'split_linear.py', `${TWO_RANKS}batchSize: 4\nmaxBatchDelay: 200\n`)).text).toContain('registered with 1 initial workers');
});

afterAll(() => server.dispose());

describe('a model that is split over two ranks', () => {
  it('answers what the whole model answers', async () => {
    const { status, text } = await ask('split', { x: ROW });

    expect([status, JSON.parse(text).y]).toEqual([200, closeTo(whole)]);
  });

  it('gets a batch of several at all ranks, and each caller hears of their own', async () => {
    const rows = [1, 2, 3, 4].map((factor) => ROW.map((value) => value * factor));
    const [alone, together] = await Promise.all([Promise.all(rows.map((x) => ask('whole', { x }))), Promise.all(rows.map((x) => ask('split', { x })))]);

    expect(together.map(({ text }) => JSON.parse(text).y)).toEqual(closeTo(alone.map(({ text }) => JSON.parse(text).y)));
    expect(together.map(({ text }) => JSON.parse(text).batch)).toEqual([4, 4, 4, 4]);
  });

  it('has ranks that torchrun numbered, in the directory of the model and with one thread each; rank 1 says that it stays silent', async () => {
    const ranks = await ranksOf('split');

    const common = { WORLD_SIZE: '2', OMP_NUM_THREADS: '1', LOGLEVEL: 'INFO', CUDA_VISIBLE_DEVICES: null };
    expect(ranks.map(({ environment }) => environment)).toEqual([
      { ...common, RANK: '0', LOCAL_RANK: '0' },
      { ...common, RANK: '1', LOCAL_RANK: '1' },
    ]);
    expect(ranks.map(({ threads }) => threads)).toEqual([1, 1]);
    expect(existsSync(join(ranks[0]?.cwd ?? '', 'split_linear.py'))).toBe(true);
    await logged('skip sending response at rank 1');
    for (const { pid } of ranks) await logged(`[PID]${pid}\n`);
    expect(server.log('model_log.log').includes('skip sending response at rank 0')).toBe(false);
  });

  it('is described with its level, its number from the distribution port on, the pid of torchrun and the memory of all', async () => {
    const ranks = await ranksOf('split');
    const { parallelType, parallelLevel, workers } = await described('split');

    expect([parallelType, parallelLevel]).toEqual(['tp', 2]);
    expect(workers).toEqual([expect.objectContaining({ id: '29500', pid: ranks[0]?.agent, status: 'READY' })]);
    const command = commandOf(String(workers[0]?.pid)).split('\0');
    expect(command).toContain('--rdzv-id=split_29500');
    expect(command).toContain(`--log-dir=${join(server.folder, 'logs', 'torchelastic_ts')}`);
    const memory = (await described('whole')).workers[0]?.memoryUsage ?? 0;
    expect(workers[0]?.memoryUsage).toBeGreaterThan(1.5 * memory);
  });

  it('listens on the loopback interface alone', async () => {
    const group = new Set(processesOf('split').flatMap(socketsOf));

    const listening = [...listeners('/proc/net/tcp'), ...listeners('/proc/net/tcp6')].filter(({ inode }) => group.has(inode));
    expect(listening.length).toBeGreaterThan(0);
    expect(listening.filter(({ address }) => address !== '0100007F')).toEqual([]);
  });

  it('is replaced as a whole when a rank is killed while nothing runs, with all that the ranks had started', async () => {
    const before = await ranksOf('split', { do: 'start' });

    process.kill(before[1]?.pid ?? -1, 'SIGKILL');

    await server.eventually(
      async () => before.every(({ pid, agent, started }) => !alive(pid) && !alive(agent) && !alive(started ?? -1)),
      'nothing is left of the group',
    );
    expect(JSON.parse((await ask('split', { x: ROW })).text).y).toEqual(closeTo(whole));
    const { crashes = [], workers } = await described('split');
    // Whoever sees it first tells: the server, or torchrun, which then ends by itself.
    expect(crashes.at(-1)?.cause).toMatch(/killed by SIGKILL|^exit code 1$/);
    expect(crashes.at(-1)?.lastLines.join('\n')).toMatch(/^sconce: rank 1 ended \(SIGKILL\)$|exitcode +: -9/m);
    expect(workers.map(({ id }) => id)).toEqual(['29500']);
  });

  it('loses no request when a rank is killed while all compute', async () => {
    const [started, until] = [join(server.folder, 'started'), join(server.folder, 'until')];
    const before = await ranksOf('split');
    const answers = [ask('split', { do: 'hold', started, until }), ask('split', { do: 'hold', started, until })];
    await server.eventually(async () => existsSync(`${started}-0`) && existsSync(`${started}-1`), 'both ranks compute');

    process.kill(before[0]?.pid ?? -1, 'SIGKILL');

    await server.eventually(async () => before.every(({ pid, agent }) => !alive(pid) && !alive(agent)), 'nothing is left of the group');
    writeFileSync(until, '');
    for (const { status, text } of await Promise.all(answers)) {
      expect([status, JSON.parse(text).map(({ pid }: Rank) => pid === before[0]?.pid || pid === before[1]?.pid)]).toEqual([200, [false, false]]);
    }
    expect(JSON.parse((await ask('split', { x: ROW })).text).y).toEqual(closeTo(whole));
  });

  it('takes its ranks along when torchrun itself is killed', async () => {
    const before = await ranksOf('split', { do: 'start' });

    process.kill(before[0]?.agent ?? -1, 'SIGKILL');

    await server.eventually(async () => before.every(({ pid, started }) => !alive(pid) && !alive(started ?? -1)), 'nothing is left of the group');
    await replaced('split', before);
    expect((await described('split')).crashes?.at(-1)).toMatchObject({ cause: expect.stringContaining('killed by SIGKILL') });
  });

  it('runs as two groups side by side, of which the newer one goes when it is scaled down', async () => {
    expect((await server.manage('PUT', '/models/split?min_worker=2&max_worker=2&synchronous=true')).status).toBe(200);
    const { workers } = await described('split');
    expect(workers.map(({ id }) => id)).toEqual(['29500', '29502']);

    const answers = await Promise.all(Array.from({ length: 16 }, () => ask('split', { x: ROW })));

    expect(answers.map(({ text }) => JSON.parse(text).y)).toEqual(answers.map(() => closeTo(whole)));
    expect((await server.manage('PUT', '/models/split?min_worker=1&max_worker=1&synchronous=true')).status).toBe(200);
    expect(processesOf('split')).toHaveLength(3);
    expect(alive(workers[0]?.pid ?? -1)).toBe(true);
  });

  it('leaves nothing when it is unregistered', async () => {
    expect((await server.manage('DELETE', '/models/split')).status).toBe(200);

    expect(processesOf('split')).toEqual([]);
  });
});

describe('a parallel model', () => {
  it('whose load fails on one rank is refused with the words of that rank, and nothing is left', async () => {
    const { status, text } = await registered('lame', 'split_linear.py', `${TWO_RANKS}handler: { fail_rank: 1 }\n`);

    expect([status, text]).toEqual([500, expect.stringContaining('no weights at rank 1')]);
    await server.eventually(async () => processesOf('lame').length === 0, 'nothing is left of the group');
    expect((await server.manage('GET', '/models/lame')).status).toBe(404);
  });

  it('of which a rank has nothing to say in time is refused with its number', async () => {
    const { status, text } = await registered('mute', 'split_linear.py', `${TWO_RANKS}startupTimeout: 5\nhandler: { hang_rank: 1 }\n`);

    expect([status, text]).toEqual([500, expect.stringContaining('Backend worker did not respond in given time: no word of rank')]);
    await server.eventually(async () => processesOf('mute').length === 0, 'nothing is left of the group');
  });

  it('of type pp gets its requests at rank 0, which drives the others', async () => {
    expect((await registered('stages', 'two_stages.py', 'parallelType: pp\nparallelLevel: 2\n')).status).toBe(200);

    const { text } = await ask('stages', { x: [1, 2, 3] });

    expect(JSON.parse(text)).toEqual({ y: [20, 30, 40], ranks: [0, 1] });
    await logged('rank 0 got a batch of 1');
    expect(server.log('model_log.log').includes('rank 1 got a batch')).toBe(false);
    expect((await server.manage('DELETE', '/models/stages')).status).toBe(200);
    expect(processesOf('stages')).toEqual([]);
  });

  it('of type custom is one ordinary worker', async () => {
    expect((await registered('own', 'scripted.py', 'parallelType: custom\nparallelLevel: 4\n')).status).toBe(200);

    expect((await ask('own', { do: 'nothing' })).text).toContain('done nothing');
    const { parallelType, parallelLevel, workers } = await described('own');
    expect([parallelType, parallelLevel, workers.length]).toEqual(['custom', 4, 1]);
  });

  it('of which a rank ends under a request that may not be tried again answers it at once, and serves the next one', async () => {
    expect((await registered('last', 'split_linear.py', `${TWO_RANKS}sconce: { retryOnWorkerDeath: false }\n`)).status).toBe(200);

    const { status, headers, json } = await ask('last', { do: 'exit', rank: 1, code: 3 });

    expect([status, headers['x-sconce-reason'], json()]).toEqual([500, 'worker_lost', { code: 500, type: 'InternalServerException', message: 'Worker died.' }]);
    expect(JSON.parse((await ask('last', { x: ROW })).text).y).toEqual(closeTo(whole));
    const { crashes = [] } = await described('last');
    expect(crashes).toEqual([
      expect.objectContaining({ cause: expect.stringMatching(/^exit code [31]$/), during: 'predict', requestIds: [headers['x-request-id']] }),
    ]);
    expect(crashes[0]?.lastLines.join('\n')).toMatch(/^sconce: rank 1 ended \(exit code 3\)$|exitcode +: 3 /m);
  });

  it('leaves nothing when the server is killed', async () => {
    const ranks = await ranksOf('last', { do: 'start' });
    const all = ranks.flatMap(({ pid, agent, started }) => [pid, agent, started ?? -1]);
    expect(all.map(alive)).toEqual(all.map(() => true));

    server.signal('SIGKILL');

    await server.eventually(async () => all.every((pid) => !alive(pid)), 'nothing is left of the group');
  });
});

/** Inodes of a process's sockets. */
function socketsOf(pid: number): readonly string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((name) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(join(folder, name)))?.[1] ?? [];
    } catch {
      // Closed meanwhile.
      return [];
    }
  });
}

function listeners(table: string): readonly { readonly address: string; readonly inode: string }[] {
  const rows = existsSync(table) ? readFileSync(table, 'latin1').trim().split('\n').slice(1) : [];
  return rows.flatMap((row) => {
    const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
    return state === '0A' ? [{ address: local.split(':')[0] ?? '', inode }] : [];
  });
}
