import { readFile } from 'node:fs/promises';

/** Resident memory of a process in bytes; undefined where the system doesn't tell or the process has gone. */
export async function residentBytes(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '');
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

/** Sends SIGKILL to a process and to the group it leads, if it leads one. A process that has gone is no error. */
export function killWithGroup(pid: number): void {
  for (const target of [-pid, pid]) {
    try {
      process.kill(target, 'SIGKILL');
    } catch {
      // ESRCH: nobody there any more, which is what is wanted. EPERM: not ours, so not the process that was meant.
    }
  }
}
