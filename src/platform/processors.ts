import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** A logical processor: its number, the physical core that it is a thread of, and its memory node. */
export interface Processor {
  readonly cpu: number;
  readonly core: string;
  readonly node: number;
  /** Hardware threads of its core, whether this process may run on them or not; undefined where the system doesn't tell. */
  readonly threadsOfCore?: number | undefined;
}

/** Reads a list as the kernel writes it: `0-3,8`. What isn't one gives fewer numbers. */
export function parseCpuList(text: string): readonly number[] {
  return text
    .trim()
    .split(',')
    .flatMap((range) => {
      const [, from, to] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range.trim()) ?? [];
      if (from === undefined) return [];
      return Array.from({ length: Math.max(0, Number(to ?? from) - Number(from) + 1) }, (_, n) => Number(from) + n);
    });
}

/** The processors that this process may run on, by node, then by number. Where the system tells nothing (not Linux), each is a core of one node. */
export function availableProcessors(root = '/'): readonly Processor[] {
  const text = (...path: readonly string[]) => read(join(root, ...path));
  const allowed = parseCpuList(/^Cpus_allowed_list:\s*(\S+)/m.exec(text('proc/self/status'))?.[1] ?? '');
  const nodes = new Map<number, number>();
  for (const name of entries(join(root, 'sys/devices/system/node'))) {
    const node = /^node(\d+)$/.exec(name)?.[1];
    if (node !== undefined) for (const cpu of parseCpuList(text('sys/devices/system/node', name, 'cpulist'))) nodes.set(cpu, Number(node));
  }
  const cpus = allowed.length > 0 ? allowed : Array.from({ length: availableParallelism() }, (_, cpu) => cpu);
  return cpus
    .map((cpu): Processor => {
      const topology = `sys/devices/system/cpu/cpu${cpu}/topology`;
      const core = text(topology, 'core_id').trim();
      const siblings = text(topology, 'thread_siblings_list').trim();
      const place = { cpu, node: nodes.get(cpu) ?? 0 };
      // Numbers of cores begin anew in each part of some packages; lists of siblings can't be mistaken.
      if (siblings !== '') return { ...place, core: `threads ${siblings}`, threadsOfCore: parseCpuList(siblings).length };
      return { ...place, core: core === '' ? `cpu ${cpu}` : `${text(topology, 'physical_package_id').trim()}:${core}` };
    })
    .sort((a, b) => a.node - b.node || a.cpu - b.cpu);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // Not told on this system.
  }
}

function entries(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // Not told on this system.
  }
}
