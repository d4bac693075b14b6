import { LoadFailed } from '../../errors/backend.js';
import { type ModelConfig, parallelLevelOf } from '../../inference/model-config.js';
import type { RunnerSpec } from '../backend.js';

/** The ranks that together are one worker. */
export interface RankGroup {
  readonly size: number;
  /** How many of them, from rank 0 on, get the batches: with `pp` the first alone, who passes on what the others need. */
  readonly receivers: number;
}

/** More than any machine has devices: a number beyond is a mistake or an attack. */
const MAX_RANKS = 128;

/** undefined for a model that runs in one process: not a parallel one, or `custom`, which starts its others itself. */
export function rankGroupOf(config: ModelConfig): RankGroup | undefined {
  const size = parallelLevelOf(config);
  if (size === 0 || config.parallelType === 'custom') return undefined;
  return { size, receivers: config.parallelType === 'pp' ? 1 : size };
}

/** What an interpreter is started with to become torchrun and start a worker's ranks. Throws LoadFailed for more ranks than can be. */
export function torchrunArguments({ model, workerId, workerName }: RunnerSpec, size: number, logFolder: string): readonly string[] {
  if (size > MAX_RANKS) throw LoadFailed({ status: 500, message: `parallelLevel ${size} is more than ${MAX_RANKS}` });
  const { torchrun = {} } = model.config;
  const here = isOneMachine(model.config);
  // A free port for every group: with torchrun's fixed one, groups of one machine would lean on a store that goes with the first of them.
  const endpoint = torchrun['rdzv-endpoint'] ?? (here ? '127.0.0.1:0' : undefined);
  const flags: readonly (readonly [string, string | number | undefined])[] = [
    ['nnodes', torchrun.nnodes ?? 1],
    ['nproc-per-node', size],
    ['log-dir', `${logFolder}/torchelastic_ts`],
    ['rdzv-backend', torchrun['rdzv-backend'] ?? 'c10d'],
    ['rdzv-endpoint', endpoint],
    ['rdzv-id', `${model.name}_${workerId}`],
    ['rdzv-conf', torchrun['rdzv-conf']],
    // The gateway sees a rank end at once, and how, as long as torchrun hasn't taken note of it.
    ['monitor-interval', torchrun['monitor-interval'] ?? 1],
    ['node-rank', torchrun['node-rank']],
    ['local-addr', here ? '127.0.0.1' : undefined],
    // The group is restarted as a whole, from outside: ranks that torchrun started again would find their secrets used up.
    ['max-restarts', 0],
  ];
  // `=`: a value that looks like a flag stays a value.
  const given = flags.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`--${name}=${value}`]));
  return ['-m', 'sconce_worker.torchrun', ...given, '-m', 'sconce_worker.rank', 'model_service_worker.py', workerName];
}

/** What torchrun and its ranks find in the environment beyond what every worker does; `environment` is the latter. */
export function groupEnvironment(config: ModelConfig, environment: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const threads = config.torchrun?.OMP_NUMBER_THREADS;
  const loopback = process.platform === 'darwin' ? 'lo0' : 'lo';
  const interfaces = isOneMachine(config) ? ['GLOO_SOCKET_IFNAME', 'TP_SOCKET_IFNAME', 'NCCL_SOCKET_IFNAME'] : [];
  return {
    LOGLEVEL: 'INFO',
    OMP_NUM_THREADS: String(Number.isInteger(threads) && Number(threads) > 0 ? threads : 1),
    ...Object.fromEntries(interfaces.filter((name) => environment[name] === undefined).map((name) => [name, loopback])),
  };
}

/** Whether no rank of the group is elsewhere, so that nothing of it needs to be reached from elsewhere. */
export function isOneMachine({ torchrun }: ModelConfig): boolean {
  return String(torchrun?.nnodes ?? 1) === '1';
}
