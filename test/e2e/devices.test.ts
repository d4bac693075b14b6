import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { archive } from '../fixtures/archives.js';
import { RunningServer } from './running-server.js';

const computing = z.object({ threads: z.number(), omp: z.string(), cores: z.array(z.number()), gpu: z.number().nullable() });
const workers = z.array(z.object({ workers: z.array(z.object({ id: z.string(), pid: z.number() })) }));

async function ask(server: RunningServer, model: string): Promise<z.infer<typeof computing>> {
  return computing.parse((await server.predict(model, { body: '' })).json());
}

/** Processors that the workers of a model are bound to, in the order of describe. */
async function coresOf(server: RunningServer, model: string): Promise<string[]> {
  const [version] = workers.parse((await server.manage('GET', `/models/${model}`)).json());
  return (version?.workers ?? []).map(({ pid }) => /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '');
}

describe('workers of a model', () => {
  const server = new RunningServer();

  beforeAll(async () => {
    await server.start();
  });

  afterAll(() => server.dispose());

  it('compute with as many threads as leave every worker its share of the processors', async () => {
    const file = await archive(server.store, { name: 'shared', handler: 'computing.py' });
    await server.manage('POST', `/models?url=${file}&initial_workers=${availableParallelism()}`);

    expect(await ask(server, 'shared')).toMatchObject({ threads: 1, omp: '1', gpu: null });
  });

  it('compute with all of them when there is one worker, and with as many threads as its model says', async () => {
    const one = await archive(server.store, { name: 'alone', handler: 'computing.py' });
    const told = await archive(server.store, { name: 'told', handler: 'computing.py', config: 'sconce:\n  threads: 3\n' });
    for (const file of [one, told]) await server.manage('POST', `/models?url=${file}&initial_workers=1`);

    expect(await ask(server, 'alone')).toMatchObject({ threads: availableParallelism(), omp: String(availableParallelism()) });
    expect(await ask(server, 'told')).toMatchObject({ threads: 3, omp: '3' });
  });
});

describe('OMP_NUM_THREADS', () => {
  const server = new RunningServer();

  afterAll(() => server.dispose());

  it('of the server decides, as under TorchServe', async () => {
    await server.start({ env: { OMP_NUM_THREADS: '1' } });
    const file = await archive(server.store, { name: 'one', handler: 'computing.py', config: 'sconce:\n  threads: 3\n' });
    await server.manage('POST', `/models?url=${file}&initial_workers=1`);

    expect(await ask(server, 'one')).toMatchObject({ threads: 1, omp: '1' });
  });
});

describe.runIf(process.platform === 'linux' && availableParallelism() > 1)('cpu_launcher_enable', () => {
  const server = new RunningServer();

  afterAll(() => server.dispose());

  it('binds each worker to its share of the cores, and shares them out anew when the model is scaled, with every request answered', async () => {
    await server.start({ config: { cpu_launcher_enable: 'true', cpu_launcher_args: '--use_logical_core --enable_jemalloc' } });
    const file = await archive(server.store, { name: 'bound', handler: 'computing.py' });
    await server.manage('POST', `/models?url=${file}&initial_workers=1`);
    const alone = await ask(server, 'bound');
    let running = true;
    const statuses = new Set<number>();
    const client = (async () => {
      while (running) statuses.add((await server.predict('bound', { body: '' })).status);
    })();

    expect((await server.manage('PUT', '/models/bound?min_worker=2&synchronous=true')).status).toBe(200);
    const two = await coresOf(server, 'bound');
    expect((await server.manage('PUT', '/models/bound?min_worker=1&synchronous=true')).status).toBe(200);
    running = false;
    await client;

    expect(alone.cores.length).toBe(alone.threads);
    expect(new Set(two).size).toBe(2);
    expect((await ask(server, 'bound')).cores).toEqual(alone.cores);
    expect([...statuses]).toEqual([200]);
    await server.logHas('ts_log.log', 'cpu_launcher_args: without effect here: --enable_jemalloc');
  });
});

describe('a parallel model', () => {
  const server = new RunningServer();

  afterAll(() => server.dispose());

  it('has no bound where there are no GPUs, and describe shows its level and its device', async () => {
    await server.start();
    const file = await archive(server.store, {
      name: 'parallel',
      handler: 'computing.py',
      config: 'parallelType: custom\nparallelLevel: 2\ndeviceType: gpu\n',
    });
    const registered = await server.manage('POST', `/models?url=${file}&initial_workers=1`);

    expect(registered.status).toBe(200);
    expect((await server.manage('GET', '/models/parallel')).json()).toMatchObject([{ parallelType: 'custom', parallelLevel: 2, deviceType: 'cpu' }]);
  });
});
