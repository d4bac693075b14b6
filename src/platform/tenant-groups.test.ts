import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ControlGroups, openControlGroups } from './control-groups.js';
import { makeTenantGroup } from './tenant-groups.js';

const probe = await openControlGroups({ withCores: true });
const isFirst = !('why' in probe) && probe.version === 1;
if (!('why' in probe)) await probe.remove();

const WISH = { memoryBytes: 64 << 20, weight: 2, cores: [0] };

describe.runIf(isFirst)('the group of a tenant under v1', () => {
  it('has the limit, the share and the processors of the tenant, and goes with the server’s folders', async () => {
    const groups = (await openControlGroups({ withCores: true })) as ControlGroups;
    const { name, missing } = await makeTenantGroup(groups, 'a', WISH);
    const at = (base: string | undefined, file: string) => readFileSync(join(base ?? '', name, file), 'latin1').trim();
    const { folders, cores } = groups;

    const read = [at(folders.memory, 'memory.limit_in_bytes'), at(folders.cpu, 'cpu.shares'), at(cores, 'cpuset.cpus')];
    mkdirSync(join(folders.memory ?? '', name, 'worker-1'));
    await groups.remove();

    expect(read).toEqual([String(64 << 20), '2048', '0']);
    expect(missing).toEqual({});
    expect([folders.memory, folders.pids, cores].map((folder) => existsSync(folder ?? ''))).toEqual([false, false, false]);
  });

  it('has no folder to bind its workers with where the processors are not to be had', async () => {
    const groups = (await openControlGroups({ withCores: true })) as ControlGroups;
    try {
      const { name, missing } = await makeTenantGroup(groups, 'a', { ...WISH, cores: [-1] });

      expect(missing).toEqual({ cores: expect.any(String) });
      expect(existsSync(join(groups.cores ?? '', name))).toBe(false);
    } finally {
      await groups.remove();
    }
  });

  it('tells what it can’t hold', async () => {
    const groups = (await openControlGroups()) as ControlGroups;
    try {
      const { missing } = await makeTenantGroup(groups, 'a', WISH);

      expect(missing).toEqual({ cores: expect.stringContaining('cpuset is not there') });
    } finally {
      await groups.remove();
    }
  });
});

describe('the group of a tenant under v2', () => {
  it('is written in its own files, and has what is below it limited too', async () => {
    const base = mkdtempSync(join(tmpdir(), 'sconce-tenant-'));
    const folder = join(base, 'tenant-a');
    const files = ['memory.max', 'memory.swap.max', 'cpu.weight', 'cpuset.cpus', 'cgroup.subtree_control'];
    mkdirSync(folder);
    for (const name of files) writeFileSync(join(folder, name), '');
    const groups: ControlGroups = {
      version: 2,
      folders: { memory: base, pids: base, cpu: base },
      cores: base,
      end: async () => {},
      remove: async () => rmSync(base, { recursive: true }),
    };

    const made = await makeTenantGroup(groups, 'a', WISH);

    expect(made).toEqual({ name: 'tenant-a', missing: {} });
    expect(files.map((name) => readFileSync(join(folder, name), 'latin1'))).toEqual([String(64 << 20), '0', '200', '0', '+memory +pids +cpu']);
    await groups.remove();
  });
});
