import { describe, expect, it } from 'vitest';
import type { Processor } from '../platform/processors.js';
import { CorePlan } from './core-plan.js';

/** Two nodes of four cores of two threads each: 0 to 7 are the first threads, 8 to 15 the second ones. */
const TWO_NODES: readonly Processor[] = Array.from({ length: 16 }, (_, cpu) => ({ cpu, core: `0:${cpu % 8}`, node: cpu % 8 < 4 ? 0 : 1 })).sort(
  (a, b) => a.node - b.node || a.cpu - b.cpu,
);

function shares(args: string, count: number): readonly (readonly number[])[] {
  const plan = new CorePlan(args, TWO_NODES);
  return Array.from({ length: count }, (_, index) => plan.share(index, count));
}

describe('the cores of workers', () => {
  it('are equal shares of the physical cores, next to each other, and what is left over goes to the first', () => {
    expect(shares('', 2)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
    expect(shares('', 3)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
      [6, 7],
    ]);
  });

  it('begin anew where there are more workers than cores', () => {
    const nine = shares('', 9);

    expect(nine[0]).toEqual([0]);
    expect(nine[8]).toEqual([0]);
    expect(nine.every((share) => share.length === 1)).toBe(true);
  });

  it.each([
    ['--use_logical_core', 2, [0, 1, 2, 3, 8, 9, 10, 11]],
    ['--node_id 1', 1, [4, 5, 6, 7]],
    ['--node-id=1 --use-logical-core', 2, [4, 5, 6, 7]],
    ['--core_list 1,2, 9', 1, [1, 2, 9]],
    ['--ncores_per_instance 3', 1, [0, 1, 2]],
    ['--ninstances 4', 1, [0, 1]],
    ['--latency_mode', 1, [0, 1, 2, 3]],
    ['--throughput_mode', 5, [0, 1, 2, 3]],
    ['--node_id 7', 1, [0, 1, 2, 3, 4, 5, 6, 7]],
  ] as const)('with %s and %i workers: the first has %j', (args, count, first) => {
    expect(shares(args, count)[0]).toEqual(first);
  });

  it('of three each never span two nodes when that is not wanted', () => {
    expect(shares('--ncores-per-instance 3 --skip-cross-node-cores', 3)).toEqual([
      [0, 1, 2],
      [4, 5, 6],
      [0, 1, 2],
    ]);
    expect(shares('--ncores-per-instance 30', 2)).toEqual([
      [0, 1, 2, 3, 4, 5, 6, 7],
      [0, 1, 2, 3, 4, 5, 6, 7],
    ]);
  });

  it('tell what of the arguments has no effect', () => {
    expect(new CorePlan('--ninstances 2 --enable-jemalloc --multi_instance --colour red', TWO_NODES).ignored).toEqual(['--enable-jemalloc', '--colour', 'red']);
  });
});
