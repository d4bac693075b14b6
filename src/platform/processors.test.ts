import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { availableProcessors, parseCpuList } from './processors.js';

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sconce-processors-'));
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

function write(path: string, content: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

it.each([
  ['0-3,8\n', [0, 1, 2, 3, 8]],
  ['5', [5]],
  ['', []],
  ['a, 2', [2]],
  ['3-1', []],
])('the list %j is %j', (text, cpus) => {
  expect(parseCpuList(text)).toEqual(cpus);
});

it('the processors are those that this process may run on, by memory node, with the core that each is a thread of', () => {
  write('proc/self/status', 'Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t0-2,5\n');
  write('sys/devices/system/node/node0/cpulist', '2-5\n');
  write('sys/devices/system/node/node1/cpulist', '0-1\n');
  for (const [cpu, core] of [
    [0, 0],
    [1, 0],
    [2, 1],
  ] as const) {
    write(`sys/devices/system/cpu/cpu${cpu}/topology/core_id`, `${core}\n`);
    write(`sys/devices/system/cpu/cpu${cpu}/topology/physical_package_id`, '0\n');
  }

  expect(availableProcessors(root)).toEqual([
    { cpu: 2, core: '0:1', node: 0 },
    { cpu: 5, core: 'cpu 5', node: 0 },
    { cpu: 0, core: '0:0', node: 1 },
    { cpu: 1, core: '0:0', node: 1 },
  ]);
});

it('a system that tells nothing has as many cores as Node counts', () => {
  expect(availableProcessors(root)).toHaveLength(availableParallelism());
  expect(availableProcessors().length).toBeGreaterThan(0);
});
