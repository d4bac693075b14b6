import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CONTROLLERS, type Controller } from './own-groups.js';
import { statOf } from './processes.js';

/** A folder of cgroup v2 whose controllers reach the groups below it. */
export interface Cleared {
  readonly controllers: readonly Controller[];
  /** Groups below it can be bound to processors. */
  readonly bindsCores: boolean;
  /** Undoes what was done to the folder above. Never rejects. */
  restore(): Promise<void>;
}

/**
 * Makes the folder `name` in the group `own` of cgroup v2 with the controllers on. There a group has either processes or groups with controllers below it, so what is in `own`
 * (this process and those that started it) moves to a group beside the new one. Rejects when a controller is missing or processes of others are in the way.
 * `withCores`: turns on what binds processes to processors too, where it is there.
 */
export async function makeRoom(own: string, name: string, withCores = false): Promise<Cleared> {
  const there = (await readFile(join(own, 'cgroup.controllers'), 'latin1')).trim().split(' ');
  const controllers = CONTROLLERS.filter((controller) => there.includes(controller));
  for (const needed of ['memory', 'pids'] as const) {
    if (!controllers.includes(needed)) throw new Error(`the controller ${needed} is not available in ${own}`);
  }
  const folder = join(own, name);
  const beside = join(own, `${name}-main`);
  await mkdir(folder);
  let turned = false;
  let moved = false;
  let turnedCores = false;
  let bindsCores = false;
  const restore = async () => {
    await rmdir(folder).catch(() => undefined);
    if (turnedCores) await succeeds(turn('-', own, ['cpuset']));
    if (turned && !(await succeeds(turn('-', own, controllers)))) return;
    if (!moved) return;
    for (const pid of await members(beside)) await succeeds(move(pid, own));
    await rmdir(beside).catch(() => undefined);
  };
  try {
    const already = (await readFile(join(own, 'cgroup.subtree_control'), 'latin1')).trim().split(' ');
    if (!controllers.every((controller) => already.includes(controller))) {
      if (!(await succeeds(turn('+', own, controllers)))) {
        const present = await members(own);
        const relatives = await ancestry(process.pid);
        if (!present.every((pid) => relatives.includes(pid))) throw new Error(`other processes are in the control group ${own}`);
        await mkdir(beside);
        moved = true;
        for (const pid of present) await move(pid, beside);
        await turn('+', own, controllers);
      }
      turned = true;
    }
    await turn('+', folder, controllers);
    if (withCores && there.includes('cpuset')) {
      const isOn = already.includes('cpuset');
      turnedCores = !isOn && (await succeeds(turn('+', own, ['cpuset'])));
      bindsCores = (isOn || turnedCores) && (await succeeds(turn('+', folder, ['cpuset'])));
    }
  } catch (error) {
    await restore();
    throw error;
  }
  return { controllers, bindsCores, restore };
}

function succeeds(attempt: Promise<void>): Promise<boolean> {
  return attempt.then(
    () => true,
    () => false,
  );
}

async function turn(sign: '+' | '-', folder: string, controllers: readonly (Controller | 'cpuset')[]): Promise<void> {
  await writeFile(join(folder, 'cgroup.subtree_control'), controllers.map((controller) => `${sign}${controller}`).join(' '));
}

async function move(pid: number, folder: string): Promise<void> {
  await writeFile(join(folder, 'cgroup.procs'), String(pid));
}

/** The processes in a control group; one of another namespace shows as 0. None where there is no such group. */
export async function members(folder: string): Promise<readonly number[]> {
  const text = await readFile(join(folder, 'cgroup.procs'), 'latin1').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

/** The process and those above it. */
async function ancestry(pid: number): Promise<readonly number[]> {
  const found: number[] = [];
  for (let at = pid; at > 0; ) {
    found.push(at);
    at = Number((await statOf(at)).get(4) ?? 0);
  }
  return found;
}
