import type { Device } from './backend.js';

/** Hands devices to workers in turn: over a model's own list if it has one, else over all GPUs of the server, starting at device 0. */
export class DeviceAllocator {
  #nextOfAll = 0;
  readonly #nextOfModel = new Map<string, number>();

  constructor(private readonly gpuCount: number) {}

  /** Which kind a model runs on: GPUs where there are any and the model doesn't ask for the CPU. */
  kindFor(wanted: 'cpu' | 'gpu' | undefined): Device['kind'] {
    return this.gpuCount > 0 && wanted !== 'cpu' ? 'gpu' : 'cpu';
  }

  /** Ids a model may use: its own list when every id exists, else undefined. */
  validIds(wanted: readonly number[] | undefined): readonly number[] | undefined {
    if (wanted === undefined || wanted.length === 0) return undefined;
    return wanted.every((id) => id >= 0 && id < this.gpuCount) ? wanted : undefined;
  }

  /** `key` names the model version whose own list is walked. */
  next(key: string, kind: Device['kind'], ids: readonly number[] | undefined): Device {
    if (kind === 'cpu') return { kind: 'cpu' };
    if (ids !== undefined) {
      const turn = this.#nextOfModel.get(key) ?? 0;
      this.#nextOfModel.set(key, turn + 1);
      return { kind: 'gpu', id: ids[turn % ids.length] ?? 0 };
    }
    const id = this.#nextOfAll % this.gpuCount;
    this.#nextOfAll += 1;
    return { kind: 'gpu', id };
  }
}
