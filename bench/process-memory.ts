import { readFileSync } from 'node:fs';
import { familyOf } from './process-family.js';

/** Proportional and resident memory of a process and all its descendants, MiB. */
export function memoryMib(rootPid: number): { readonly rss: number; readonly pss: number; readonly processes: number } {
  const family = familyOf(rootPid);
  let rss = 0;
  let pss = 0;
  for (const pid of family) {
    try {
      const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
      rss += Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
      pss += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0);
    } catch {
      // It ended while we looked.
    }
  }
  return { rss: rss / 1024, pss: pss / 1024, processes: family.length };
}

/** What would be free if the process were not there, MiB: its pages that no other process has. */
export function privateMib(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0);
  return (kib('Private_Clean') + kib('Private_Dirty')) / 1024;
}
