import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ControlGroups, openControlGroups } from './control-groups.js';
import { makeRoom } from './unified-room.js';

const probe = await openControlGroups();
const areThere = !('why' in probe);
if (areThere) await probe.remove();

describe.runIf(areThere)('control groups', () => {
  let groups: ControlGroups;

  beforeEach(async () => {
    groups = (await openControlGroups()) as ControlGroups;
  });

  afterEach(() => groups.remove());

  /** A group `name` with a process in it that would sleep for ever. */
  function occupied(name: string) {
    const folder = join(groups.folders.pids ?? '', name);
    mkdirSync(folder);
    const child = spawn('sleep', ['600'], { stdio: 'ignore' });
    writeFileSync(join(folder, 'cgroup.procs'), String(child.pid));
    return { folder, ended: once(child, 'exit') };
  }

  it('hold a folder of the server under every controller, until they are removed', async () => {
    const folders = Object.values(groups.folders);
    expect(folders.length).toBeGreaterThanOrEqual(2);
    expect(folders.every((folder) => existsSync(folder))).toBe(true);

    await groups.remove();

    expect(folders.some((folder) => existsSync(folder))).toBe(false);
  });

  it('end all processes of a group', async () => {
    const { folder, ended } = occupied('worker-1');

    await groups.end('worker-1');

    expect((await ended)[1]).toBe('SIGKILL');
    expect(readFileSync(join(folder, 'cgroup.procs'), 'latin1')).toBe('');
    await groups.end('never-made');
  });

  it('of a server that was killed go when the next one starts, with the processes in them; those of one that runs stay', async () => {
    const { ended } = occupied('worker-1');
    const folder = groups.folders.pids ?? '';
    const parent = dirname(folder);
    // The same process number, but started at another time.
    const killed = join(parent, `sconce-${process.pid}-1-${folder.split('-').at(-1)}`);
    mkdirSync(join(killed, 'worker-7'), { recursive: true });
    const left = spawn('sleep', ['600'], { stdio: 'ignore' });
    writeFileSync(join(killed, 'worker-7', 'cgroup.procs'), String(left.pid));
    // Of another namespace of processes, which nobody sweeps: an earlier run of this test may have left it.
    const elsewhere = join(parent, 'sconce-1-1-1');
    mkdirSync(elsewhere, { recursive: true });

    const second = await openControlGroups();

    expect(second).toMatchObject({ why: expect.stringContaining('EEXIST') });
    expect(existsSync(killed)).toBe(false);
    expect([existsSync(folder), existsSync(elsewhere)]).toEqual([true, true]);
    if (left.exitCode === null && left.signalCode === null) await once(left, 'exit');
    rmdirSync(elsewhere);
    await groups.end('worker-1');
    await ended;
  });
});

describe('room under cgroup v2', () => {
  let own: string;

  beforeEach(() => {
    own = mkdtempSync(join(tmpdir(), 'sconce-room-'));
    writeFileSync(join(own, 'cgroup.controllers'), 'cpuset cpu io memory pids\n');
    writeFileSync(join(own, 'cgroup.subtree_control'), '\n');
    writeFileSync(join(own, 'cgroup.procs'), '');
  });

  afterEach(() => rmSync(own, { recursive: true }));

  it('has the controllers turned on in both folders', async () => {
    const { controllers } = await makeRoom(own, 'sconce-1');

    expect(controllers).toEqual(['memory', 'pids', 'cpu']);
    expect(readFileSync(join(own, 'cgroup.subtree_control'), 'utf8')).toContain('+memory +pids +cpu');
    expect(readFileSync(join(own, 'sconce-1', 'cgroup.subtree_control'), 'utf8')).toBe('+memory +pids +cpu');
  });

  it('leaves on what others turned on before', async () => {
    const control = join(own, 'cgroup.subtree_control');
    writeFileSync(control, 'cpuset cpu memory pids\n');

    const { bindsCores, restore } = await makeRoom(own, 'sconce-1', true);
    await restore();

    expect(bindsCores).toBe(true);
    expect(readFileSync(control, 'utf8')).toBe('cpuset cpu memory pids\n');
  });

  it('is refused without the controllers', async () => {
    writeFileSync(join(own, 'cgroup.controllers'), 'cpu\n');

    await expect(makeRoom(own, 'sconce-1')).rejects.toThrow('memory is not available');
  });
});
