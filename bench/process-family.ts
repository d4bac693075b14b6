import { readdirSync, readFileSync } from 'node:fs';

/** The fields of /proc/PID/stat behind the name, which may hold anything: the state comes first. undefined: it has ended. */
function statOf(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

/** A process and all its descendants, by number. */
export function familyOf(rootPid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : undefined;
    if (stat !== undefined) parents.set(pid, Number(stat[1]));
  }
  const family = [rootPid];
  for (const pid of family) for (const [child, parent] of parents) if (parent === pid) family.push(child);
  return family;
}

/** Linux counts in hundredths of a second, whatever its clock. */
const TICK_MS = 10;

/** Processor time that a process and its descendants have used so far, ms; those that were reaped count with whoever did. */
export function processorMs(rootPid: number): number {
  const [user, system, userOfReaped, systemOfReaped] = [11, 12, 13, 14];
  const ticks = familyOf(rootPid).flatMap((pid) => {
    const stat = statOf(pid) ?? [];
    return [user, system, userOfReaped, systemOfReaped].map((field) => Number(stat[field] ?? 0));
  });
  return ticks.reduce((sum, one) => sum + one, 0) * TICK_MS;
}
