import { readdir, readFile } from 'node:fs/promises';
import { constants } from 'node:os';

/** Resident memory of a process in bytes; undefined where the system doesn't tell or the process has gone. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** Resident memory of a process and of those that it started, in bytes; undefined where the system doesn't tell or the process has gone. */
export async function residentBytesWithChildren(pid: number): Promise<number | undefined> {
  const own = await residentBytes(pid);
  if (own === undefined) return undefined;
  const others = await Promise.all((await childrenOf(pid)).map(residentBytes));
  return others.reduce<number>((sum, bytes) => sum + (bytes ?? 0), own);
}

/** How a child of `pid` ended that hasn't been reaped yet; undefined where there is none or the system doesn't tell. */
export async function endedChildOf(pid: number): Promise<{ readonly code: number | undefined; readonly signal: string | undefined } | undefined> {
  for (const child of await childrenOf(pid)) {
    const fields = await statOf(child);
    // The state, and the status as wait tells it.
    const status = Number(fields.get(52) ?? 0);
    if (fields.get(3) !== 'Z' && status === 0) continue;
    const signal = Object.entries(constants.signals).find(([, number]) => number === (status & 0x7f))?.[0];
    return { code: signal === undefined ? status >> 8 : undefined, signal };
  }
  return undefined;
}

/** /proc/…/stat of a process by the field numbers of proc(5), from 3 on: a name before them may hold anything. Empty where the system doesn't tell or the process has gone. */
export async function statOf(pid: number): Promise<ReadonlyMap<number, string>> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? [];
  return new Map(fields.map((text, n) => [n + 3, text]));
}

async function childrenOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'latin1').catch(() => '')));
  return lists.flatMap((list) => list.split(' ').filter((text) => text !== '')).map(Number);
}

/** Sends SIGKILL to a process and to the group it leads, if it leads one. A process that has gone is no error, nor is one that never was (undefined). */
export function killWithGroup(pid: number | undefined): void {
  // To kill(2), 0 is the caller's own group, and -1 every process there is.
  if (pid === undefined || pid < 2) return;
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
    } catch {
      // ESRCH: nobody there any more, which is what is wanted. EPERM: not ours, so not the process that was meant.
    }
  }
}
