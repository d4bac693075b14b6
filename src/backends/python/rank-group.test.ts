import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aBatch, alive, HANDLER, PYTHON, run, Story, until, Workshop } from '../../../test/fixtures/python-workers.js';
import type { ModelConfig } from '../../inference/model-config.js';
import type { RunnerSpec } from '../backend.js';
import { groupEnvironment, rankGroupOf, torchrunArguments } from './rank-group.js';
import { workerEnvironment } from './worker-environment.js';

let shop: Workshop;

beforeAll(async () => {
  shop = await Workshop.open();
});

afterAll(() => shop.close());

function aConfig(over: Partial<ModelConfig>): ModelConfig {
  return { ...shop.aModel('').config, ...over };
}

function aSpec(torchrun?: Readonly<Record<string, string | number>>): RunnerSpec {
  const model = shop.aModel('', {}, { name: 'm', config: aConfig({ parallelType: 'tp', torchrun }) });
  const share = { threads: 1, cores: undefined };
  return { model, workerId: 29500, workerName: 'W-29500-m_1.0', device: { kind: 'cpu' }, share, batchSize: 1, startupTimeoutMs: 1, maxResponseBytes: 1 };
}

describe('a model', () => {
  it.each([
    [{}, undefined],
    [{ parallelType: 'tp' }, undefined],
    [{ parallelLevel: 2 }, undefined],
    [
      { parallelType: 'tp', parallelLevel: 1 },
      { size: 1, receivers: 1 },
    ],
    [
      { parallelType: 'tp', parallelLevel: 3 },
      { size: 3, receivers: 3 },
    ],
    [
      { parallelType: 'pptp', parallelLevel: 3 },
      { size: 3, receivers: 3 },
    ],
    [
      { parallelType: 'pp', parallelLevel: 3 },
      { size: 3, receivers: 1 },
    ],
    [{ parallelType: 'custom', parallelLevel: 3 }, undefined],
  ] as const)('configured as %j runs as the group %j', (keys, group) => {
    expect(rankGroupOf(aConfig(keys))).toEqual(group);
  });
});

describe('torchrun', () => {
  it('is started as TorchServe starts it, on a free loopback port and without restarts of its own', () => {
    expect(torchrunArguments(aSpec(), 2, '/logs')).toEqual([
      '-m',
      'sconce_worker.torchrun',
      '--nnodes=1',
      '--nproc-per-node=2',
      '--log-dir=/logs/torchelastic_ts',
      '--rdzv-backend=c10d',
      '--rdzv-endpoint=127.0.0.1:0',
      '--rdzv-id=m_29500',
      '--monitor-interval=1',
      '--local-addr=127.0.0.1',
      '--max-restarts=0',
      '-m',
      'sconce_worker.rank',
      'model_service_worker.py',
      'W-29500-m_1.0',
    ]);
  });

  it('gets what the model says of it, and reaches out only where there are several machines', () => {
    const several = { nnodes: 2, 'rdzv-backend': 'static', 'rdzv-endpoint': 'head:29400', 'rdzv-conf': 'timeout=9', 'monitor-interval': 7, 'node-rank': 0 };

    const flags = torchrunArguments(aSpec(several), 2, '/logs').filter((argument) => argument.startsWith('--'));

    expect(flags).toEqual(expect.arrayContaining(['--nnodes=2', '--rdzv-backend=static', '--rdzv-endpoint=head:29400', '--rdzv-conf=timeout=9']));
    expect(flags).toEqual(expect.arrayContaining(['--monitor-interval=7', '--node-rank=0']));
    expect(flags.some((flag) => flag.startsWith('--local-addr'))).toBe(false);
  });

  it('is not asked for more ranks than any machine has devices', () => {
    expect(() => torchrunArguments(aSpec(), 129, '/logs')).toThrow('parallelLevel 129 is more than 128');
  });

  it.each([
    [undefined, '1'],
    [{ OMP_NUMBER_THREADS: 4 }, '4'],
    [{ OMP_NUMBER_THREADS: 0 }, '1'],
    [{ OMP_NUMBER_THREADS: 'all' }, '1'],
  ])('with %j gives each rank %s threads', (torchrun, threads) => {
    expect(groupEnvironment(aConfig({ torchrun }), {}).OMP_NUM_THREADS).toBe(threads);
  });

  it('keeps the traffic of one machine on it, unless the server was told of an interface', () => {
    const loopback = process.platform === 'darwin' ? 'lo0' : 'lo';
    expect(groupEnvironment(aConfig({}), { NCCL_SOCKET_IFNAME: 'eth1' })).toEqual({
      LOGLEVEL: 'INFO',
      OMP_NUM_THREADS: '1',
      GLOO_SOCKET_IFNAME: loopback,
      TP_SOCKET_IFNAME: loopback,
    });
    expect(groupEnvironment(aConfig({ torchrun: { nnodes: 2 } }), {})).toEqual({ LOGLEVEL: 'INFO', OMP_NUM_THREADS: '1' });
  });
});

describe('a worker of type custom', () => {
  it('sees the devices that it has to itself, and nothing of torchrun', () => {
    const spec = { ...aSpec(), model: shop.aModel('', {}, { config: aConfig({ parallelType: 'custom', parallelLevel: 2 }) }) };

    const showDevices = (ordinals: readonly number[]) => ({ CUDA_VISIBLE_DEVICES: ordinals.join() });

    const { environment } = workerEnvironment(shop.options({ environment: {}, showDevices }), { ...spec, device: { kind: 'gpu', id: 0, visible: [2, 3] } });

    expect(environment).toMatchObject({ CUDA_VISIBLE_DEVICES: '2,3' });
    expect(environment).not.toHaveProperty('OMP_NUM_THREADS');
  });
});

const HAS_TORCH = has(PYTHON, 'torch');

describe.runIf(HAS_TORCH)('a group', () => {
  it('in which a rank answers that is to be silent is ended, and nothing of that answer counts', async () => {
    const { runner, exited } = await shop.loaded(aGroup(HANDLER.replace('if do == "nonsense":', 'if do == "nonsense" and os.environ["LOCAL_RANK"] == "1":')));
    const story = new Story();
    // The end of batch 1 without parts, as rank 0 would say it.
    runner.run(aBatch({ do: 'nonsense', hex: '0c000000830100000001000000000000' }), story);

    expect((await exited).lastLines.join('\n')).toContain('broke the protocol');
    expect(story.ended).toBe(false);
    await until(() => !alive(runner.pid ?? 0));
  }, 30_000);

  it('streams from rank 0 alone, and stops when all ranks have finished', async () => {
    const { runner, exited, lines } = await shop.loaded(aGroup(HANDLER));

    const story = await run(runner, { do: 'stream' });
    const last = run(runner, { do: 'nothing' });
    await runner.stop(8_000);

    expect(story.parts.map(({ text }) => text)).toEqual(['part 0', 'part 1', 'part 2', 'end']);
    expect((await last).parts.map(({ text }) => text)).toEqual(['done']);
    expect(await exited).toMatchObject({ expected: true });
    expect(lines.filter(({ line }) => line === 'skip sending response at rank 1')).toHaveLength(2);
  }, 30_000);

  it('whose ranks see the devices of the group, under the names that the server has for them', async () => {
    const device = { kind: 'gpu', id: 0, visible: [1, 2] } as const;
    const own = await shop.anotherBackend({
      showDevices: (ordinals) => ({ CUDA_VISIBLE_DEVICES: ordinals.map((ordinal) => 'GPU-a GPU-b GPU-c'.split(' ')[ordinal]).join() }),
    });
    const { runner } = await shop.loaded(aGroup(HANDLER), { from: own, spec: { device } });

    const { parts } = await run(runner, { do: 'echo' });

    expect(JSON.parse(parts[0]?.text ?? '').env).toMatchObject({ CUDA_VISIBLE_DEVICES: 'GPU-b,GPU-c', LOCAL_RANK: '0', MASTER_ADDR: '127.0.0.1' });
  }, 30_000);
});

it.runIf(!has('python3', 'torch'))(
  'a group whose interpreter has no torch is refused, and told why',
  async () => {
    const own = await shop.anotherBackend({ interpreter: 'python3' });
    const { runner } = shop.aRunner(aGroup(HANDLER), { from: own });

    await expect(runner.load()).rejects.toMatchObject({ message: expect.stringContaining("No module named 'torch'") });
  },
  30_000,
);

function aGroup(source: string) {
  return shop.aModel(source, {}, { config: aConfig({ parallelType: 'tp', parallelLevel: 2 }) });
}

function has(interpreter: string, module: string): boolean {
  return spawnSync(interpreter, ['-c', `import importlib.util, sys; sys.exit(importlib.util.find_spec("${module}") is None)`]).status === 0;
}
