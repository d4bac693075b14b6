import { ConfigInvalid } from '../errors/config.js';
import type { Tenant } from '../inference/tenant.js';
import type { Processor } from '../platform/processors.js';

/** Which processors are whose. */
export interface CoreSplit {
  /** By the name of the tenant: nobody else's workers run on these. */
  readonly own: ReadonlyMap<string, readonly Processor[]>;
  /** What is left for the server and for everybody else; never none. */
  readonly shared: readonly Processor[];
}

/**
 * Gives tenants whole physical cores, all hardware threads of each, from the end of the list: the first core is where a machine does most of its own work.
 * A core of which this process may not use every thread is nobody's own. undefined where no tenant wants any. Throws ConfigInvalid when there are too few.
 */
export function splitCores(tenants: readonly Tenant[], processors: readonly Processor[]): CoreSplit | undefined {
  const wanted = tenants.filter(({ ownCores }) => ownCores > 0);
  if (wanted.length === 0) return undefined;
  const cores = wholeCores(processors);
  const own = new Map<string, readonly Processor[]>();
  const asked = wanted.reduce((sum, { ownCores }) => sum + ownCores, 0);
  let left = cores;
  for (const { name, ownCores } of wanted) {
    if (ownCores > left.length) break;
    own.set(name, left.slice(left.length - ownCores).flat());
    left = left.slice(0, left.length - ownCores);
  }
  const taken = new Set([...own.values()].flat());
  const shared = processors.filter((processor) => !taken.has(processor));
  if (own.size < wanted.length || shared.length === 0) {
    const names = wanted.map(({ name, ownCores }) => `${name} ${ownCores}`).join(', ');
    const has = `this server may use ${cores.length} whole physical core${cores.length === 1 ? '' : 's'}`;
    throw ConfigInvalid({ message: `own_cores: tenants are to have ${asked} (${names}), but ${has}, and one has to be left for everybody else` });
  }
  return { own, shared };
}

function wholeCores(processors: readonly Processor[]): readonly (readonly Processor[])[] {
  const cores = new Map<string, Processor[]>();
  for (const processor of processors) {
    const known = cores.get(processor.core);
    if (known === undefined) cores.set(processor.core, [processor]);
    else known.push(processor);
  }
  return [...cores.values()].filter((core) => core.length >= (core[0]?.threadsOfCore ?? 1));
}

export function numbersOf(processors: readonly Processor[]): readonly number[] {
  return processors.map(({ cpu }) => cpu).sort((a, b) => a - b);
}
