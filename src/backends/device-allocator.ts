import { type ModelConfig, parallelLevelOf } from '../inference/model-config.js';
import type { Device } from './backend.js';

/** What of a model's configuration decides on its devices. */
export type DeviceWish = Pick<ModelConfig, 'deviceType' | 'deviceIds' | 'parallelType' | 'parallelLevel'>;

/**
 * Hands devices to workers in turn: over a model's own list if it has one, else over all GPUs of the server, starting at device 0. A parallel model gets as
 * many at a time as it has ranks, next to each other in that list. Invariant: an ordinal that is handed out is a device of the server, and one of `own` where
 * a tenant has devices of its own or may not use those of others; its workers are shown no other.
 */
export class DeviceAllocator {
  #nextOfAll = 0;
  readonly #nextOfModel = new Map<string, number>();

  readonly #ids: readonly number[];

  constructor(
    gpuCount: number,
    private readonly own?: readonly number[],
  ) {
    this.#ids = own ?? Array.from({ length: gpuCount }, (_, id) => id);
  }

  /** Which kind a model runs on: GPUs where there are any and the model doesn't ask for the CPU. */
  kindFor(wanted: DeviceWish['deviceType']): Device['kind'] {
    return this.#ids.length > 0 && wanted !== 'cpu' ? 'gpu' : 'cpu';
  }

  /** Ids a model may use: its own list when every id exists, else undefined. */
  validIds(wanted: DeviceWish['deviceIds']): readonly number[] | undefined {
    if (wanted === undefined || wanted.length === 0) return undefined;
    return wanted.every((id) => this.#ids.includes(id)) ? wanted : undefined;
  }

  /** How many workers of a model there are devices for: a bound only where each takes several. 0 when its devices don't suffice for one. */
  capacity(wish: DeviceWish): number {
    const level = parallelLevelOf(wish);
    if (level === 0 || this.kindFor(wish.deviceType) === 'cpu') return Number.POSITIVE_INFINITY;
    return Math.floor(this.#idsOf(wish).length / level);
  }

  /** `key` names the model version, whose own turns are counted where it has devices of its own. */
  next(key: string, wish: DeviceWish): Device {
    if (this.kindFor(wish.deviceType) === 'cpu') return { kind: 'cpu' };
    const ids = this.#idsOf(wish);
    const level = parallelLevelOf(wish);
    if (level > 0) {
      const groups = Math.max(1, Math.floor(ids.length / level));
      const start = (this.#turn(key) % groups) * level;
      // Its processes are shown these devices alone, and count them from 0.
      return { kind: 'gpu', id: 0, visible: ids.slice(start, start + level) };
    }
    if (this.validIds(wish.deviceIds) !== undefined) return this.#shown(ids[this.#turn(key) % ids.length] ?? 0);
    const id = this.#ids[this.#nextOfAll % this.#ids.length] ?? 0;
    this.#nextOfAll += 1;
    return this.#shown(id);
  }

  #shown(id: number): Device {
    const { own } = this;
    return own === undefined ? { kind: 'gpu', id } : { kind: 'gpu', id: own.indexOf(id), visible: own };
  }

  #idsOf({ deviceIds }: DeviceWish): readonly number[] {
    return this.validIds(deviceIds) ?? this.#ids;
  }

  #turn(key: string): number {
    const turn = this.#nextOfModel.get(key) ?? 0;
    this.#nextOfModel.set(key, turn + 1);
    return turn;
  }
}
