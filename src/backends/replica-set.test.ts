import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LoadFailed, ToldInModelLog } from '../errors/backend.js';
import type { ModelConfig } from '../inference/model-config.js';
import type { ServableModel } from '../inference/servable-model.js';
import type { Log } from '../observability/observer.js';
import { SILENT_OBSERVER } from '../observability/silence.js';
import { FairPlaces } from '../threads/fair-places.js';
import type { Backend, Runner, RunnerEvents, RunnerExit } from './backend.js';
import { CorePlan } from './core-plan.js';
import { CrashLog } from './crash-log.js';
import { DeviceAllocator } from './device-allocator.js';
import { Placement } from './placement.js';
import { ReplicaSet, type ReplicaSetListener, type ReplicaSetOptions } from './replica-set.js';
import { RestartTurns } from './restart-turns.js';
import { WorkerIds } from './worker-ids.js';

const logged: string[] = [];
const log: Log = {
  debug() {},
  info: (line) => void logged.push(line),
  warn: (line) => void logged.push(line),
  error: (line) => void logged.push(line),
  named: () => log,
};
const KILLED: RunnerExit = { expected: false, code: undefined, signal: 'SIGKILL', memoryPeakBytes: 1, lastLines: ['last words'] };

/** A runner whose life the test directs. */
class DirectedRunner implements Runner {
  readonly pipelineDepth = 1;
  readonly pid = 1;
  bytes = 100;
  settle: (failure?: Error) => void = () => {};

  constructor(
    readonly name: string,
    private readonly events: RunnerEvents,
  ) {}

  load(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.settle = (failure) => (failure ? reject(failure) : resolve());
    });
  }

  run(): void {}

  async stop(): Promise<void> {
    this.die({ ...KILLED, expected: true, signal: undefined, code: 0 });
  }

  kill(): void {
    this.die(KILLED);
  }

  die(exit: RunnerExit): void {
    this.events.exit(exit);
  }

  async memoryBytes(): Promise<number> {
    return this.bytes;
  }
}

let runners: DirectedRunner[];
let heard: string[];

const backend: Backend = {
  name: 'python',
  prepare: async () => {},
  createRunner: (spec, events) => {
    const runner = new DirectedRunner(spec.workerName, events);
    runners.push(runner);
    return runner;
  },
  stop: async () => {},
};

const listener: ReplicaSetListener = {
  laneReady: (replica) => void heard.push(`ready ${replica.id}`),
  laneLost: (replica, { outOfMemory }) => void heard.push(`lost ${replica.id}${outOfMemory ? ' oom' : ''}`),
  laneLeaving: async (replica) => void heard.push(`leaving ${replica.id}`),
  supplyChanged: ({ replicas, hopeful }) => void heard.push(`supply ${hopeful}/${replicas}`),
};

function aSet(
  sconce: Partial<ModelConfig['sconce']> = {},
  placement = new Placement(4),
  resources?: ReplicaSetOptions['resources'],
): { set: ReplicaSet; crashes: CrashLog } {
  const config: ModelConfig = {
    sconce: {
      retryOnWorkerDeath: true,
      recycleAfterS: undefined,
      recycleAfterRequests: undefined,
      recycleMemoryGrowthBytes: undefined,
      intraOpThreads: 1,
      ...sconce,
    },
    raw: {},
    file: undefined,
  };
  const model: ServableModel = {
    name: 'm',
    version: '1.0',
    url: 'm.mar',
    runtime: 'python',
    backend: 'python',
    directory: '',
    linkParent: undefined,
    handler: undefined,
    envelope: undefined,
    serializedFile: undefined,
    requirementsFile: undefined,
    config,
    contentHash: '',
    downloadedArchive: undefined,
  };
  const crashes = new CrashLog();
  const limits = { batchSize: 1, startupTimeoutMs: 1000, responseTimeoutMs: 1000, recoveryWindowMs: 10_000, maxResponseBytes: 1000 };
  const shared = { workerIds: new WorkerIds(9000, 29500), devices: new DeviceAllocator(0), placement, resources, crashes, observer: SILENT_OBSERVER, log };
  return { set: new ReplicaSet({ model, backend, ...limits, ...shared }, listener), crashes };
}

/** Lets promises that are due settle. */
async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

async function aReadySet(count: number, sconce: Partial<ModelConfig['sconce']> = {}, placement = new Placement(4)): Promise<ReturnType<typeof aSet>> {
  const made = aSet(sconce, placement);
  const scaled = made.set.scale(count, count, 100);
  await settled();
  for (const runner of runners) runner.settle();
  expect(await scaled).toBeUndefined();
  return made;
}

beforeEach(() => {
  vi.useFakeTimers();
  runners = [];
  heard = [];
  logged.length = 0;
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a set of replicas', () => {
  it('starts what is missing, numbers them from 9000 and reports success when all have loaded', async () => {
    const { set } = await aReadySet(2);

    expect(set.replicas.map((replica) => [replica.name, replica.state])).toEqual([
      ['W-9000-m_1.0', 'ready'],
      ['W-9001-m_1.0', 'ready'],
    ]);
  });

  it('scaling down stops the newest and keeps the oldest', async () => {
    const { set } = await aReadySet(3);

    await set.scale(1, 1, 100);

    expect(set.replicas.map((replica) => replica.id)).toEqual([9000]);
    expect(heard.filter((word) => word.startsWith('leaving'))).toEqual(['leaving 9001', 'leaving 9002']);
  });

  it('a count between minimum and maximum changes nothing', async () => {
    const { set } = await aReadySet(2);

    await set.scale(1, 4, 100);

    expect(set.replicas.length).toBe(2);
  });

  it('workers of one tenant that have died load again in its turns, and those of another at once', async () => {
    const places = new FairPlaces(1, () => 1);
    const [own, other] = [
      { restarts: new RestartTurns(1), places },
      { restarts: new RestartTurns(1), places },
    ];
    const sets = [aSet({}, undefined, own), aSet({}, undefined, other)].map(({ set }) => set);
    const scaled = [sets[0]?.scale(3, 3, 100), sets[1]?.scale(1, 1, 100)];
    await settled();
    for (const runner of runners) runner.settle();
    await Promise.all(scaled);
    for (const runner of runners.slice(0, 4)) runner.die(KILLED);
    await vi.advanceTimersByTimeAsync(1000);

    const [first, ofOther] = runners.slice(4);
    expect(runners).toHaveLength(6);
    // The first one never comes up: it dies while it loads, and the next one has its turn.
    first?.die(KILLED);
    await settled();
    expect(runners).toHaveLength(7);
    ofOther?.settle();
    runners[6]?.settle();
    await settled();

    expect(runners).toHaveLength(8);
    expect(sets.map((set) => set.replicas.map((replica) => replica.state))).toEqual([['waiting', 'ready', 'starting'], ['ready']]);
  });

  it('a worker that dies is started again under its number after a second, and its death is kept as a dossier', async () => {
    const { set, crashes } = await aReadySet(1);
    runners[0]?.die(KILLED);
    expect(set.replicas[0]?.state).toBe('waiting');

    await vi.advanceTimersByTimeAsync(1000);
    runners[1]?.settle();
    await settled();

    expect(runners[1]?.name).toBe('W-9000-m_1.0');
    expect(set.replicas[0]?.state).toBe('ready');
    expect(heard).toContain('lost 9000 oom');
    expect(crashes.all()).toMatchObject([{ workerName: 'W-9000-m_1.0', signal: 'SIGKILL', during: 'idle', lastLines: ['last words'] }]);
  });

  it('tells of a worker that took too long and came back in the words that people grep TorchServe’s log for', async () => {
    const { set } = await aReadySet(1);

    set.replicas[0]?.timedOut();
    await vi.advanceTimersByTimeAsync(1000);
    runners[1]?.settle();
    await settled();

    expect(logged).toEqual([
      'Backend worker did not respond in given time: W-9000-m_1.0',
      'Number or consecutive unsuccessful inference 1',
      'Backend worker error: W-9000-m_1.0 ended: no answer within the response time-out of 1 s\norg.pytorch.serve.wlm.WorkerInitializationException: Backend worker did not respond in given time',
      '9000 Worker disconnected. WORKER_MODEL_LOADED',
      expect.stringMatching(/^Auto recovery start timestamp: \d+$/),
      'Retry worker: 9000 in 1 seconds.',
      'Auto recovery succeeded, reset recoveryStartTS',
    ]);
  });

  it('says nothing again that the worker has printed of its failure', async () => {
    const { set } = aSet();
    const scaled = set.scale(1, 1, 100);
    await settled();

    runners[0]?.settle(LoadFailed({ status: 500, message: 'ValueError: no weights' }, new ToldInModelLog()));

    expect((await scaled)?.message).toBe('ValueError: no weights');
    expect(logged).toEqual(['W-9000-m_1.0 could not load: why stands in model_log.log']);
  });

  it('reports the first failure of a load and goes on trying until its window is over', async () => {
    const { set } = aSet();
    const scaled = set.scale(1, 1, 100);
    await settled();
    runners[0]?.settle(LoadFailed({ status: 507, message: 'no memory' }));
    await settled();
    runners[0]?.die({ ...KILLED, signal: undefined, code: 1 });

    expect((await scaled)?.rendering.http).toBe(507);
    for (let n = 1; n < 8; n += 1) {
      await vi.advanceTimersByTimeAsync(5000);
      runners[n]?.settle(LoadFailed({ status: 500, message: 'again' }));
      await settled();
      runners[n]?.die({ ...KILLED, signal: undefined, code: 1 });
    }
    expect(set.replicas[0]?.state).toBe('exhausted');
    expect(set.healthy).toBe(false);
  });

  it('scaling revives a worker that had given up', async () => {
    const { set } = aSet();
    void set.scale(1, 1, 100);
    await settled();
    for (let n = 0; n < 8 && set.replicas[0]?.state !== 'exhausted'; n += 1) {
      runners.at(-1)?.settle(LoadFailed({ status: 500, message: 'no' }));
      await settled();
      runners.at(-1)?.die({ ...KILLED, signal: undefined, code: 1 });
      await vi.advanceTimersByTimeAsync(8000);
    }
    expect(set.replicas[0]?.state).toBe('exhausted');

    void set.scale(1, 1, 100);
    await settled();
    runners.at(-1)?.settle();
    await settled();

    expect(set.replicas[0]?.state).toBe('ready');
  });

  it('a worker that grew too much leaves only when its successor is ready', async () => {
    const { set } = await aReadySet(1, { recycleMemoryGrowthBytes: 50 });
    const [old] = runners;
    if (old) old.bytes = 200;

    await vi.advanceTimersByTimeAsync(1000);
    expect(set.replicas.map((replica) => replica.id)).toEqual([9000, 9001]);
    expect(heard).not.toContain('leaving 9000');
    runners[1]?.settle();
    await settled();

    expect(heard).toContain('leaving 9000');
    expect(set.replicas.map((replica) => replica.id)).toEqual([9001]);
    await set.stop(10);
  });

  it('a successor that does not come up leaves the old worker in its place', async () => {
    const { set } = await aReadySet(1, { recycleAfterS: 1 });
    await vi.advanceTimersByTimeAsync(2000);
    runners[1]?.settle(LoadFailed({ status: 500, message: 'no' }));
    await settled();

    expect(set.replicas.map((replica) => replica.id)).toEqual([9000]);
    await set.stop(10);
  });

  it('stopping while workers load ends them and settles the wait', async () => {
    const { set } = aSet();
    const scaled = set.scale(2, 2, 100);
    await settled();

    await set.stop(10);

    expect((await scaled)?.code).toBe('LOAD_FAILED');
    expect(set.replicas.length).toBe(0);
  });
});

describe('the processors', () => {
  const onFour = () =>
    new Placement(
      4,
      new CorePlan(
        '',
        Array.from({ length: 4 }, (_, cpu) => ({ cpu, core: String(cpu), node: 0 })),
      ),
    );

  it('are shared out as threads among as many workers as there are to be', async () => {
    const { set } = await aReadySet(2);

    expect(set.replicas.map((replica) => replica.share)).toEqual([
      { threads: 2, cores: undefined },
      { threads: 2, cores: undefined },
    ]);
  });

  it('are shared out anew when workers are bound to them and their number changes: a successor is ready before its predecessor leaves', async () => {
    const { set } = await aReadySet(1, {}, onFour());
    expect(set.replicas.map((replica) => replica.share.cores)).toEqual([[0, 1, 2, 3]]);

    const scaled = set.scale(2, 2, 100);
    await settled();
    runners[1]?.settle();
    await settled();
    expect(set.replicas[0]?.id).toBe(9000);
    runners[2]?.settle();
    await scaled;

    expect(set.replicas.map((replica) => [replica.id, replica.share.cores])).toEqual([
      [9002, [0, 1]],
      [9001, [2, 3]],
    ]);
    expect(heard).toContain('leaving 9000');
  });

  it('stay as they are shared when a successor does not come up', async () => {
    const { set } = await aReadySet(1, {}, onFour());

    const scaled = set.scale(2, 2, 100);
    await settled();
    runners[1]?.settle();
    await settled();
    runners[2]?.settle(LoadFailed({ status: 500, message: 'no' }));
    await settled();
    runners[2]?.die(KILLED);
    await scaled;

    expect(set.replicas.map((replica) => [replica.id, replica.state])).toEqual([
      [9000, 'ready'],
      [9001, 'ready'],
    ]);
  });
});
