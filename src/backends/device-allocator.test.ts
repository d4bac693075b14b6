import { describe, expect, it } from 'vitest';
import { DeviceAllocator, type DeviceWish } from './device-allocator.js';

const TP2: DeviceWish = { parallelType: 'tp', parallelLevel: 2 };

function devices(allocator: DeviceAllocator, count: number, wish: DeviceWish = {}, key = 'm_1.0') {
  return Array.from({ length: count }, () => allocator.next(key, wish));
}

describe('devices', () => {
  it('are the CPU where there is no GPU, or where the model asks for it', () => {
    expect(devices(new DeviceAllocator(0), 1, { deviceType: 'gpu', ...TP2 })).toEqual([{ kind: 'cpu' }]);
    expect(devices(new DeviceAllocator(2), 1, { deviceType: 'cpu' })).toEqual([{ kind: 'cpu' }]);
  });

  it('go round over all GPUs and all models, starting at device 0', () => {
    const allocator = new DeviceAllocator(3);
    const first = devices(allocator, 2, {}, 'a_1.0');
    const second = devices(allocator, 3, {}, 'b_1.0');

    expect([...first, ...second]).toEqual([0, 1, 2, 0, 1].map((id) => ({ kind: 'gpu', id })));
  });

  it("go round over a model's own list without taking turns from others; a list that names what is not there counts as none", () => {
    const allocator = new DeviceAllocator(4);

    expect(devices(allocator, 3, { deviceIds: [3, 1] })).toEqual([3, 1, 3].map((id) => ({ kind: 'gpu', id })));
    expect(devices(allocator, 1, { deviceIds: [4] })).toEqual([{ kind: 'gpu', id: 0 }]);
    expect([allocator.validIds([3, 1]), allocator.validIds([4]), allocator.validIds([-1]), allocator.validIds([])]).toEqual([
      [3, 1],
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('of a parallel model are whole groups that stand next to each other, also where the level does not divide their number', () => {
    const groups = devices(new DeviceAllocator(5), 3, TP2);

    expect(groups).toEqual([
      { kind: 'gpu', id: 0, visible: [0, 1] },
      { kind: 'gpu', id: 0, visible: [2, 3] },
      { kind: 'gpu', id: 0, visible: [0, 1] },
    ]);
    expect(devices(new DeviceAllocator(4), 1, { ...TP2, deviceIds: [3, 1, 0] })).toEqual([{ kind: 'gpu', id: 0, visible: [3, 1] }]);
  });

  it('bound the workers of a parallel model on GPUs, and of no other', () => {
    const allocator = new DeviceAllocator(5);

    expect(allocator.capacity(TP2)).toBe(2);
    expect(allocator.capacity({ ...TP2, deviceIds: [1] })).toBe(0);
    expect(allocator.capacity({ parallelLevel: 9 })).toBe(Number.POSITIVE_INFINITY);
    expect(allocator.capacity({ ...TP2, deviceType: 'cpu' })).toBe(Number.POSITIVE_INFINITY);
    expect(new DeviceAllocator(0).capacity(TP2)).toBe(Number.POSITIVE_INFINITY);
  });
});
