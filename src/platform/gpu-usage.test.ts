import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readGpuUsage } from './gpu-usage.js';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sconce-smi-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function tool(script: string): string {
  const path = join(folder, 'nvidia-smi');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

it('the usage of each GPU is found under its index and its UUID, and a figure that is not told counts 0', async () => {
  const usage = await readGpuUsage(tool("printf '0, GPU-aa, 37, 12, 2048\\n1, GPU-bb, [N/A], 3, 5\\nsomething else\\n'"));

  expect([...usage]).toEqual([
    ['0', { utilization: 37, memoryUtilization: 12, memoryUsedMib: 2048 }],
    ['GPU-aa', { utilization: 37, memoryUtilization: 12, memoryUsedMib: 2048 }],
    ['1', { utilization: 0, memoryUtilization: 3, memoryUsedMib: 5 }],
    ['GPU-bb', { utilization: 0, memoryUtilization: 3, memoryUsedMib: 5 }],
  ]);
});

it('a tool that is missing or fails tells nothing', async () => {
  expect((await readGpuUsage(join(folder, 'missing'))).size).toBe(0);
  expect((await readGpuUsage(tool('exit 9'))).size).toBe(0);
});
