import { mkdir, open, readdir, readFile, readlink, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CONTROLLERS, type Controller, type OwnGroups, ownGroups } from './own-groups.js';
import { statOf } from './processes.js';
import { type Cleared, makeRoom, members } from './unified-room.js';

/** Folders of this server alone, in which groups for its workers can be made. Their own limits are those of the group in which the server was started. */
export interface ControlGroups {
  readonly version: 1 | 2;
  readonly folders: Readonly<Partial<Record<Controller, string>>>;
  /** Its folder that binds processes to processors, where there is one and it was asked for: under v1 one more, under v2 the same. */
  readonly cores: string | undefined;
  /** SIGKILL to every process of the group `name` below; it can take no new ones. Never rejects. */
  end(name: string): Promise<void>;
  /** Removes the folders, and the groups below that hold no process any more. Never rejects. */
  remove(): Promise<void>;
}

const KILL_ROUNDS = 5;
const REMOVE_WITHIN_MS = 1_000;
const NAME = /^sconce-(\d+)-(\d+)-(\d+)$/;

/** Makes the server's folders, or tells why there are none: not Linux, a read-only mount, a missing right, other processes in the way. Removes those of servers that were killed. */
export async function openControlGroups({ withCores = false } = {}): Promise<ControlGroups | { readonly why: string }> {
  if (process.platform !== 'linux') return { why: `${process.platform} has no control groups` };
  try {
    const own = ownGroups(await readFile('/proc/self/mountinfo', 'utf8'), await readFile('/proc/self/cgroup', 'utf8'));
    if (own === undefined) return { why: 'no hierarchy with the memory and pids controllers is mounted' };
    return await openIn(own, `sconce-${process.pid}-${await startOf(process.pid)}-${await pidNamespace()}`, withCores);
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) };
  }
}

async function openIn(own: OwnGroups, name: string, withCores: boolean): Promise<ControlGroups> {
  for (const folder of new Set([...Object.values(own.folders), ...(own.cores === undefined ? [] : [own.cores])])) await sweep(folder);
  if (own.version === 2) {
    const base = own.folders.pids ?? '';
    const room = await makeRoom(base, name, withCores);
    const folders = Object.fromEntries(room.controllers.map((controller) => [controller, join(base, name)]));
    return groups(2, folders, room.bindsCores ? join(base, name) : undefined, room);
  }
  const folders: Partial<Record<Controller, string>> = {};
  try {
    for (const controller of CONTROLLERS) {
      const parent = own.folders[controller];
      if (parent === undefined) continue;
      await mkdir(join(parent, name));
      folders[controller] = join(parent, name);
    }
  } catch (error) {
    // A fair share of the processors is good to have; the other two are what this is for.
    if (folders.memory === undefined || folders.pids === undefined) {
      await groups(1, folders, undefined).remove();
      throw error;
    }
  }
  return groups(1, folders, withCores && own.cores !== undefined ? await makeBindingFolder(own.cores, name).catch(() => undefined) : undefined);
}

/** A folder of the hierarchy that binds to processors (v1), for these or for all of those above. A group takes nobody in before it has been told its processors and its memory nodes. */
export async function makeBindingFolder(parent: string, name: string, processors?: string): Promise<string> {
  const folder = join(parent, name);
  await mkdir(folder);
  try {
    await writeFile(join(folder, 'cpuset.cpus'), processors ?? (await readFile(join(parent, 'cpuset.cpus'))));
    await writeFile(join(folder, 'cpuset.mems'), await readFile(join(parent, 'cpuset.mems')));
    return folder;
  } catch (error) {
    await rmdir(folder).catch(() => undefined);
    throw error;
  }
}

function groups(version: 1 | 2, folders: ControlGroups['folders'], cores: string | undefined, room?: Cleared): ControlGroups {
  const unique = [...new Set([...Object.values(folders), ...(cores === undefined ? [] : [cores])])];
  return {
    version,
    folders,
    cores,
    end: (name) => (folders.pids === undefined ? Promise.resolve() : endGroup(join(folders.pids, name))),
    remove: async () => {
      const endAtMs = performance.now() + REMOVE_WITHIN_MS;
      let left = unique;
      while (left.length > 0 && performance.now() < endAtMs) {
        const removed = await Promise.all(left.map(removeTree));
        left = left.filter((_, n) => removed[n] === false);
        if (left.length > 0) await sleep(20);
      }
      await room?.restore();
    },
  };
}

/** What a server left that was killed together with its Python parent. One that runs, or that another process namespace may have, is left alone. */
async function sweep(folder: string): Promise<void> {
  const namespace = await pidNamespace();
  for (const name of await readdir(folder)) {
    const [, pid = '', start, itsNamespace] = NAME.exec(name) ?? [];
    if (itsNamespace !== namespace || (await startOf(Number(pid))) === start) continue;
    const old = join(folder, name);
    for (const group of await groupsBelow(old)) await endGroup(group);
    await removeTree(old);
  }
}

async function endGroup(folder: string): Promise<void> {
  if (await writeIfThere(join(folder, 'cgroup.kill'), '1')) return;
  // With no room for a new process the rounds come to an end.
  await writeIfThere(join(folder, 'pids.max'), '0');
  for (let round = 0; round < KILL_ROUNDS; round += 1) {
    const pids = (await members(folder)).filter((pid) => pid > 0);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
  }
}

/** False while a process is in it or below it. */
async function removeTree(folder: string): Promise<boolean> {
  for (const group of await groupsBelow(folder)) await rmdir(group).catch(() => undefined);
  return rmdir(folder).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
  );
}

/** Their folders, those further down first. */
async function groupsBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  return [...(await Promise.all(below.map(groupsBelow))).flat(), ...below];
}

async function writeIfThere(path: string, text: string): Promise<boolean> {
  try {
    // Not writeFile, which would try to make it.
    const file = await open(path, 'r+');
    await file.write(text).finally(() => file.close());
    return true;
  } catch {
    return false;
  }
}

/** When a process was started, in the kernel's ticks: with the number it names one process for ever. */
async function startOf(pid: number): Promise<string | undefined> {
  return (await statOf(pid)).get(22);
}

async function pidNamespace(): Promise<string> {
  return /\d+/.exec(await readlink('/proc/self/ns/pid'))?.[0] ?? '0';
}
