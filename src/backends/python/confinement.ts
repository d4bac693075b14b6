import type { WorkerLimits } from '../../inference/worker-limits.js';
import type { Log } from '../../observability/observer.js';
import { type ControlGroups, openControlGroups } from '../../platform/control-groups.js';
import { CONTROLLERS } from '../../platform/own-groups.js';
import type { TenantGroup } from '../../platform/tenant-groups.js';
import { LATE } from '../crash-log.js';

/** What workers are held to, and by what. */
export interface Confinement {
  /** Of every worker; a model's own can only be stricter. */
  readonly limits: WorkerLimits;
  /** undefined: the parents look after their workers themselves, where the system lets them. */
  readonly groups: ControlGroups | undefined;
  /** Those of tenants among them, by the tenant's name. */
  readonly tenants?: ReadonlyMap<string, TenantGroup> | undefined;
}

/** What a worker's end had to do with its limits; `unknown` where nobody could see. See python/sconce_worker/warden.py. */
export const STRUCK = ['none', 'unknown', 'memory', 'tenant-memory', 'machine-memory', 'processes'] as const;
export type Struck = (typeof STRUCK)[number];

/** Makes the server's control groups where it can and may, and says in the log what holds the workers. */
export async function confine(limits: WorkerLimits, mayUseGroups: boolean, log: Log, withCores = false): Promise<Confinement> {
  const found = mayUseGroups ? await openControlGroups({ withCores }) : { why: 'sconce_control_groups is false' };
  const groups = 'why' in found ? undefined : found;
  log.info(`Each Python worker may use ${limitsText(limits)}; held by ${'why' in found ? withoutGroups(found.why) : withGroups(found)}.`);
  return { limits, groups };
}

function withGroups({ version, folders }: ControlGroups): string {
  const names = CONTROLLERS.filter((controller) => folders[controller] !== undefined);
  return `control groups v${version} (${names.join(', ')}) and resource limits`;
}

function withoutGroups(why: string): string {
  if (process.platform !== 'linux') return `resource limits alone: memory and processes are not bounded (${why})`;
  return `resource limits and a look every 250 ms, without control groups: ${why}`;
}

function limitsText({ memoryBytes, processes, fileBytes, openFiles }: WorkerLimits): string {
  const mib = (bytes: number | undefined) => (bytes === undefined ? 'any amount' : `${Math.floor(bytes / 2 ** 20)} MiB`);
  return `${mib(memoryBytes)} of memory, ${processes ?? 'any number of'} processes and threads, files of ${mib(fileBytes)}, ${openFiles ?? 'any number of'} open files`;
}

/** In one line what ended a worker, where a limit did or may have. */
export function verdictOf(
  struck: Struck,
  { code, signal }: { code: number | undefined; signal: string | undefined },
  { memoryBytes = 0, processes = 0 }: WorkerLimits,
): string | undefined {
  const memory = `its memory limit of ${Math.floor(memoryBytes / 2 ** 20)} MiB`;
  const number = `its limit of ${processes} processes and threads`;
  const killed = signal === 'SIGKILL';
  const ended = signal === undefined ? `exit code ${code}` : `ended by ${signal}`;
  if (struck === 'memory') return killed ? `killed: it reached ${memory}` : `${ended} after one of its processes was killed for ${memory}`;
  if (struck === 'tenant-memory') return `${killed ? 'killed' : ended}: the workers of its tenant reached the memory limit that they have together`;
  if (struck === 'machine-memory') return `${killed ? 'killed' : ended}: the machine or its container ran out of memory`;
  if (struck === 'processes') return killed ? `killed: it reached ${number}` : `${ended} after it reached ${number}`;
  return undefined;
}

export function howEnded({ code, signal }: { readonly code: number | undefined; readonly signal: string | undefined }): string {
  return signal ?? (code === undefined ? 'unknown' : `exit code ${code}`);
}

/** `ranks`: those of a group that had nothing to say. */
export function lateText(ranks: readonly number[]): string {
  return ranks.length === 0 ? LATE : `${LATE}: no word of rank ${ranks.join(', ')}`;
}

/** Whether memory was what ended it; undefined where that can't be told. */
export function outOfMemory(struck: Struck): boolean | undefined {
  return struck === 'unknown' ? undefined : ['memory', 'tenant-memory', 'machine-memory'].includes(struck);
}
