import { expect, it } from 'vitest';
import { Accelerators, type Machine } from '../platform/accelerators.js';
import { GpuWatch } from './gpu-watch.js';

const machine: Machine = {
  platform: 'linux',
  arch: 'x64',
  entries: (folder) => (folder === '/dev' ? ['nvidia0', 'nvidia1'] : []),
  text: () => '',
  isOnPath: () => false,
};

it("a GPU's usage is told in TorchServe's words, by the ordinal that it has here", async () => {
  const usage = new Map([['1', { utilization: 37, memoryUtilization: 12, memoryUsedMib: 2048 }]]);
  const watch = new GpuWatch(new Accelerators({ CUDA_VISIBLE_DEVICES: '1,0' }, machine), async () => usage);
  expect(watch.textOf(0)).toBe('failed to obtained gpu usage');

  await Promise.all([watch.refresh(), watch.refresh()]);

  expect(watch.textOf(0)).toBe('gpuId::0 utilization.gpu [%]::37 % utilization.memory [%]::12 % memory.used [MiB]::2048 MiB');
  expect(watch.textOf(1)).toBe('failed to obtained gpu usage');
  expect(watch.all()).toEqual([[0, { utilization: 37, memoryUtilization: 12, memoryUsedMib: 2048 }]]);
});

it('where there is no GPU nobody is asked', async () => {
  const watch = new GpuWatch(new Accelerators({}, { ...machine, entries: () => [] }), () => Promise.reject(new Error('asked')));

  await watch.refresh();

  expect(watch.all()).toEqual([]);
});
