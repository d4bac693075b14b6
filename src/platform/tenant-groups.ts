import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type ControlGroups, makeBindingFolder } from './control-groups.js';

export interface TenantGroupWish {
  /** For all of its workers together; undefined: no limit. */
  readonly memoryBytes: number | undefined;
  /** Of the processors, beside other tenants. */
  readonly weight: number;
  /** Processors that its workers are kept to; undefined: none in particular. */
  readonly cores: readonly number[] | undefined;
}

/** The group of a tenant, below which those of its workers are made. It lies in the server's folders and goes with them. */
export interface TenantGroup {
  /** Of its folders below the server's. */
  readonly name: string;
  /** Why not, for what of the wish it can't hold. */
  readonly missing: Readonly<Partial<Record<'memory' | 'share' | 'cores', string>>>;
}

/** Weights as the kernel has them: what a group without a wish gets, and what there can be. */
const SHARES = { 1: { file: 'cpu.shares', usual: 1024, least: 2, most: 262_144 }, 2: { file: 'cpu.weight', usual: 100, least: 1, most: 10_000 } } as const;

/** Makes the group of the tenant `tenant`. Rejects when the system doesn't let it. */
export async function makeTenantGroup(groups: ControlGroups, tenant: string, { memoryBytes, weight, cores }: TenantGroupWish): Promise<TenantGroup> {
  const { version, folders } = groups;
  // Nothing of it can lead out of the folder: a name has a word before it, and no slash.
  const name = `tenant-${encodeURIComponent(tenant)}`;
  const missing: Partial<Record<'memory' | 'share' | 'cores', string>> = {};
  const attempt = async (what: keyof typeof missing, attempted: () => Promise<void>) => {
    await attempted().catch((error: unknown) => {
      missing[what] = error instanceof Error ? error.message : String(error);
    });
  };
  for (const folder of new Set(Object.values(folders))) await mkdir(join(folder, name), { recursive: true });
  const memory = join(folders.memory ?? '', name);
  // Kernels before 5.11 count what is below only where they are told to.
  if (version === 1) await write(memory, 'memory.use_hierarchy', '1').catch(() => undefined);
  if (memoryBytes !== undefined) await attempt('memory', () => limitMemory(version, memory, memoryBytes));
  const { file, usual, least, most } = SHARES[version];
  const { cpu } = folders;
  const share = Math.min(most, Math.max(least, Math.round(usual * weight)));
  if (cpu === undefined) missing.share = 'the controller cpu is not there';
  else await attempt('share', () => write(join(cpu, name), file, String(share)));
  if (cores !== undefined) await attempt('cores', () => keepTo(groups, name, cores));
  if (version === 2) {
    const controllers = Object.keys(folders).map((controller) => `+${controller}`);
    await write(join(folders.pids ?? '', name), 'cgroup.subtree_control', controllers.join(' '));
  }
  return { name, missing };
}

async function limitMemory(version: 1 | 2, folder: string, bytes: number): Promise<void> {
  if (version === 2) {
    await write(folder, 'memory.max', String(bytes));
    return write(folder, 'memory.swap.max', '0').catch(() => undefined);
  }
  await write(folder, 'memory.limit_in_bytes', String(bytes));
  return write(folder, 'memory.memsw.limit_in_bytes', String(bytes)).catch(() => undefined);
}

async function keepTo({ version, cores: base }: ControlGroups, name: string, cores: readonly number[]): Promise<void> {
  if (base === undefined) throw new Error('the controller cpuset is not there, or not this server’s to write');
  if (version === 1) await makeBindingFolder(base, name, cores.join(','));
  else await write(join(base, name), 'cpuset.cpus', cores.join(','));
}

async function write(folder: string, name: string, text: string): Promise<void> {
  // Not writeFile, which would try to make it.
  const file = await open(join(folder, name), 'r+');
  await file.write(text).finally(() => file.close());
}
