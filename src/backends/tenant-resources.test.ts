import { describe, expect, it } from 'vitest';
import type { Tenant } from '../inference/tenant.js';
import { NO_LIMITS } from '../inference/worker-limits.js';
import { DeviceAllocator } from './device-allocator.js';
import { gpusOf } from './tenant-resources.js';

const WISH = { deviceType: undefined, deviceIds: undefined, parallelType: undefined, parallelLevel: undefined };

function tenant(name: string, gpus: readonly number[] | undefined): Tenant {
  const quotas = { models: undefined, workers: undefined, requestsPerS: undefined, concurrent: undefined, bytesInFlight: undefined };
  return { name, weight: 1, quotas, memoryBytes: NO_LIMITS.memoryBytes, ownCores: 0, gpus };
}

describe('the GPUs of tenants', () => {
  it('are all there are where nobody has any to itself', () => {
    const all = [tenant('default', undefined), tenant('a', undefined)];

    expect(all.map((one) => gpusOf(one, all, 4))).toEqual([undefined, undefined]);
  });

  it('are its own, or those that nobody has', () => {
    const all = [tenant('default', undefined), tenant('a', [1, 3]), tenant('b', []), tenant('c', undefined)];

    expect(all.map((one) => gpusOf(one, all, 5))).toEqual([[0, 2, 4], [1, 3], [], [0, 2, 4]]);
  });

  it('are the only ones that its workers are given and shown', () => {
    const allocator = new DeviceAllocator(5, [1, 3]);

    expect([1, 2, 3].map(() => allocator.next('m', WISH))).toEqual([
      { kind: 'gpu', id: 0, visible: [1, 3] },
      { kind: 'gpu', id: 1, visible: [1, 3] },
      { kind: 'gpu', id: 0, visible: [1, 3] },
    ]);
    // An id that isn't its own is no id.
    expect([allocator.validIds([3]), allocator.validIds([0])]).toEqual([[3], undefined]);
    expect(allocator.next('n', { ...WISH, deviceIds: [3] })).toEqual({ kind: 'gpu', id: 1, visible: [1, 3] });
    expect(allocator.next('p', { ...WISH, parallelType: 'tp', parallelLevel: 2 })).toEqual({ kind: 'gpu', id: 0, visible: [1, 3] });
    expect(allocator.capacity({ ...WISH, parallelType: 'tp', parallelLevel: 4 })).toBe(0);
    expect(new DeviceAllocator(5, []).next('m', WISH)).toEqual({ kind: 'cpu' });
  });
});
