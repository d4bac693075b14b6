import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type CoreSplit, numbersOf, splitCores } from '../backends/own-cores.js';
import type { Placement } from '../backends/placement.js';
import { TenantResources } from '../backends/tenant-resources.js';
import type { Settings } from '../config/settings.js';
import { EQUAL_WEIGHTS, type WeightOf } from '../inference/fair-share.js';
import type { Tenant, Tenants } from '../inference/tenant.js';
import type { Protection } from '../observability/protections.js';
import type { ControlGroups } from '../platform/control-groups.js';
import { availableProcessors } from '../platform/processors.js';
import { makeTenantGroup, type TenantGroup } from '../platform/tenant-groups.js';
import { FairPlaces } from '../threads/fair-places.js';
import { HOME } from './backends.js';
import { placementOn } from './devices.js';

const BIND_WITHIN_MS = 30_000;
/** Of one tenant: each loads a model, which takes a core for a while. */
const LEAST_RESTARTS_AT_ONCE = 2;
const run = promisify(execFile);

/** The weights of the tenants beside that of the lightest, which is 1. */
export function weightsOf(tenants: Tenants | undefined): WeightOf {
  if (tenants === undefined) return EQUAL_WEIGHTS;
  const least = Math.min(1, ...tenants.all.map(({ weight }) => weight));
  return (name) => (tenants.named(name)?.weight ?? 1) / least;
}

/** The processors of this machine as the tenants have them; undefined where none has any of its own. Throws ConfigInvalid. Before the server itself is kept off them. */
export function coresOf(tenants: Tenants | undefined): CoreSplit | undefined {
  return tenants === undefined ? undefined : splitCores(tenants.all, availableProcessors());
}

/** Keeps this process, and what it starts, off the processors that tenants have to themselves. Gives why it can't, if it can't. */
export async function keepOff(
  split: CoreSplit,
  { interpreter, environment }: { readonly interpreter: string; readonly environment: Readonly<Record<string, string>> },
): Promise<string | undefined> {
  try {
    const env = { ...environment, PYTHONPATH: join(HOME, 'python') };
    const args = ['-m', 'sconce_worker.keep_to', String(process.pid), numbersOf(split.shared).join(',')];
    await run(interpreter, args, { env, timeout: BIND_WITHIN_MS });
    return undefined;
  } catch (error) {
    return `the server itself could not be kept off them: ${error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error)}`;
  }
}

/** The groups of tenants, by name: those that the system let be made, and what it didn't. */
export interface TenantGroups {
  readonly made: ReadonlyMap<string, TenantGroup>;
  /** Why there are none; undefined where there are. */
  readonly why: string | undefined;
}

export async function makeTenantGroups(groups: ControlGroups | undefined, tenants: Tenants, split: CoreSplit | undefined): Promise<TenantGroups> {
  if (groups === undefined) return { made: new Map(), why: 'there are no control groups' };
  const made = new Map<string, TenantGroup>();
  try {
    for (const tenant of tenants.all) {
      const cores = split === undefined ? undefined : numbersOf(split.own.get(tenant.name) ?? split.shared);
      made.set(tenant.name, await makeTenantGroup(groups, tenant.name, { memoryBytes: tenant.memoryBytes, weight: tenant.weight, cores }));
    }
    return { made, why: undefined };
  } catch (error) {
    return { made: new Map(), why: error instanceof Error ? error.message : String(error) };
  }
}

export interface TenantResourcesParts {
  readonly gpuCount: number;
  readonly split: CoreSplit | undefined;
  /** For tenants where nobody has cores to itself. */
  readonly placement: Placement;
  readonly weightOf: WeightOf;
}

export function createTenantResources(settings: Settings, tenants: Tenants, { gpuCount, split, placement, weightOf }: TenantResourcesParts): TenantResources {
  const places = new FairPlaces(availableParallelism(), weightOf);
  const shared = split === undefined ? placement : placementOn(split.shared, settings);
  const placementOf = ({ name }: Tenant): Placement => {
    const own = split?.own.get(name);
    return own === undefined ? shared : placementOn(own, settings);
  };
  return new TenantResources({ tenants, gpuCount, placementOf, places, restartsAtOnce: Math.max(LEAST_RESTARTS_AT_ONCE, availableParallelism()) });
}

/** What holds of what tenants are to have to themselves: told once at start, and only of what some tenant is to have. */
export function resourceProtections(
  tenants: Tenants,
  { groups, split, leaks, gpuCount }: { groups: TenantGroups; split: CoreSplit | undefined; leaks: string | undefined; gpuCount: number },
): readonly Protection[] {
  const told: Protection[] = [];
  const limited = tenants.all.filter(({ memoryBytes }) => memoryBytes !== undefined);
  if (limited.length > 0) {
    const why = whyNot(groups, limited, 'memory');
    const says = why === undefined ? `the workers of ${namesOf(limited)} are held to it together` : `memory_mb of ${namesOf(limited)} is not held: ${why}`;
    told.push({ name: 'tenant-memory', holds: why === undefined, says });
  }
  if (split !== undefined) {
    const bound = whyNot(groups, tenants.all, 'cores');
    const why = leaks ?? (bound === undefined ? undefined : `workers are bound, but their own code can undo it: ${bound}`);
    const owners = [...split.own].map(([name, cores]) => `${name} has ${numbersOf(cores).join(',')}`).join('; ');
    told.push({
      name: 'tenant-cores',
      holds: why === undefined,
      says: `${owners}; all others share ${numbersOf(split.shared).join(',')}${why === undefined ? '' : `. ${why}`}`,
    });
  }
  const owners = tenants.all.filter(({ gpus }) => gpus !== undefined);
  if (owners.length > 0) told.push(gpuProtection(owners, gpuCount));
  return told;
}

function gpuProtection(owners: readonly Tenant[], gpuCount: number): Protection {
  const name = 'tenant-gpus';
  const all = owners.flatMap(({ gpus }) => gpus ?? []);
  const missing = [...new Set(all.filter((id) => id >= gpuCount))];
  const shared = [...new Set(all.filter((id, at) => all.indexOf(id) !== at))];
  if (missing.length > 0) return { name, holds: false, says: `there is no GPU ${missing.join(', ')} on this machine, which has ${gpuCount}` };
  if (shared.length > 0) return { name, holds: false, says: `GPU ${shared.join(', ')} is given to several tenants` };
  return { name, holds: true, says: owners.map((tenant) => `${tenant.name} has ${tenant.gpus?.join(', ') || 'none'}`).join('; ') };
}

function whyNot({ made, why }: TenantGroups, of: readonly Tenant[], what: 'memory' | 'cores'): string | undefined {
  return why ?? of.map(({ name }) => made.get(name)?.missing[what]).find((reason) => reason !== undefined);
}

function namesOf(tenants: readonly Tenant[]): string {
  return tenants.map(({ name }) => name).join(', ');
}
