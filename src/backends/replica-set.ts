import type { SconceError } from '../errors/sconce-error.js';
import { parallelLevelOf } from '../inference/model-config.js';
import type { ServableModel } from '../inference/servable-model.js';
import type { Log, Observer } from '../observability/observer.js';
import type { Backend } from './backend.js';
import type { CrashLog } from './crash-log.js';
import type { DeviceAllocator } from './device-allocator.js';
import type { Placement, Share } from './placement.js';
import { Replica, type ReplicaOwner } from './replica.js';
import type { Resources } from './tenant-resources.js';
import type { WorkerIds } from './worker-ids.js';

/** The one who hands out work hears of replicas through this; a dispatcher, in the server. */
export interface ReplicaSetListener {
  laneReady(replica: Replica): void;
  laneLost(replica: Replica, loss: { readonly outOfMemory: boolean }): void;
  /** Resolves when the replica holds no batch and gets none any more. */
  laneLeaving(replica: Replica): Promise<void>;
  supplyChanged(supply: { readonly replicas: number; readonly hopeful: number }): void;
}

export interface ReplicaSetOptions {
  readonly model: ServableModel;
  readonly backend: Backend;
  readonly batchSize: number;
  readonly startupTimeoutMs: number;
  readonly responseTimeoutMs: number;
  readonly recoveryWindowMs: number;
  readonly maxResponseBytes: number;
  readonly workerIds: WorkerIds;
  readonly devices: DeviceAllocator;
  readonly placement: Placement;
  /** Of the model's tenant. */
  readonly resources?: Pick<Resources, 'restarts' | 'places'> | undefined;
  readonly crashes: CrashLog;
  readonly observer: Observer;
  readonly log: Log;
}

/** How often replicas are looked at for recycling. */
const RECYCLE_CHECK_MS = 1000;

/**
 * The replicas of one model version, between a minimum and a maximum. Invariants: scaling steps and recyclings run one after another;
 * scaling down takes the newest first and loses no request; a recycled replica leaves only when its successor is ready.
 */
export class ReplicaSet {
  readonly #replicas: Replica[] = [];
  #minimum = 0;
  #maximum = 0;
  #steps: Promise<unknown> = Promise.resolve();
  #recycleTimer: NodeJS.Timeout | undefined;
  readonly #sizeWhenReady = new WeakMap<Replica, number>();
  #recycling = false;

  constructor(
    private readonly options: ReplicaSetOptions,
    private readonly listener: ReplicaSetListener,
  ) {}

  get minimum(): number {
    return this.#minimum;
  }

  get maximum(): number {
    return this.#maximum;
  }

  get replicas(): readonly Replica[] {
    return this.#replicas;
  }

  /** TorchServe's rule: as many as wanted run or may recover. */
  get healthy(): boolean {
    return this.#replicas.filter((replica) => replica.recoverable).length >= this.#minimum;
  }

  /**
   * Brings the count between `minimum` and `maximum`. Resolves when new replicas have loaded once and surplus ones have gone:
   * undefined when all went well, else the first failure (the replica goes on trying). Surplus replicas get `graceMs` for what they run.
   */
  scale(minimum: number, maximum: number, graceMs: number): Promise<SconceError | undefined> {
    this.#minimum = minimum;
    this.#maximum = maximum;
    const step = this.#steps.then(() => this.#scaleStep(minimum, maximum, graceMs));
    this.#steps = step.then(() => undefined);
    return step;
  }

  async #scaleStep(minimum: number, maximum: number, graceMs: number): Promise<SconceError | undefined> {
    for (const replica of this.#replicas) replica.revive();
    const missing = minimum - this.#replicas.length;
    const surplus = this.#replicas.length > maximum ? this.#replicas.splice(maximum) : [];
    const count = Math.max(minimum, this.#replicas.length);
    const created = Array.from({ length: Math.max(0, missing) }, () => this.#add(this.#replicas.length, count));
    if (surplus.length > 0 || created.length > 0) this.#supplyChanged();
    const gone = surplus.map((replica) => this.#retire(replica, graceMs));
    this.#watchRecycling();
    const failure = await firstFailure(created.map((replica) => replica.firstLoad));
    await Promise.all(gone);
    if (failure === undefined) await this.#placeAnew();
    return failure;
  }

  /** Where workers are bound to cores, another number of them means other shares: those whose share has changed are replaced, one after another. */
  async #placeAnew(): Promise<void> {
    const { placement, model } = this.options;
    if (!placement.binds) return;
    for (const [index, old] of [...this.#replicas.entries()]) {
      const wanted = placement.share(index, this.#replicas.length, model.config);
      if (old.state === 'ready' && !sameCores(old.share, wanted)) await this.#replace(old, 'the cores are shared out anew');
    }
  }

  /** Ends all replicas. Requests they run get `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    clearInterval(this.#recycleTimer);
    this.#minimum = 0;
    this.#maximum = 0;
    const all = this.#replicas.splice(0);
    this.#supplyChanged();
    await Promise.all(all.map((replica) => this.#retire(replica, graceMs)));
    await this.#steps;
    await Promise.all(this.#replicas.splice(0).map((replica) => this.#retire(replica, graceMs)));
  }

  /** `index` is the place among `count` workers for which it gets its share of the processors. */
  #add(index: number, count: number): Replica {
    const { model, backend, devices, placement, workerIds } = this.options;
    const workerId = workerIds.take(parallelLevelOf(model.config));
    const key = `${model.name}_${model.version}`;
    const device = devices.next(key, model.config);
    const share = placement.share(index, count, model.config);
    const { batchSize, startupTimeoutMs, responseTimeoutMs, recoveryWindowMs, maxResponseBytes, crashes, observer, log, resources } = this.options;
    const places = resources?.places;
    const spec = { model, workerId, workerName: `W-${workerId}-${key}`, device, share, places, batchSize, startupTimeoutMs, maxResponseBytes };
    const replica = new Replica(backend, { spec, recoveryWindowMs, responseTimeoutMs, crashes, observer, log, restarts: resources?.restarts }, this.#owner);
    this.#replicas.push(replica);
    replica.start();
    return replica;
  }

  readonly #owner: ReplicaOwner = {
    ready: (replica) => {
      void this.#noteSize(replica);
      this.listener.laneReady(replica);
      this.#supplyChanged();
    },
    lost: (replica, outOfMemory) => this.listener.laneLost(replica, { outOfMemory }),
    changed: () => this.#supplyChanged(),
  };

  #supplyChanged(): void {
    this.listener.supplyChanged({ replicas: this.#replicas.length, hopeful: this.#replicas.filter((replica) => replica.hopeful).length });
  }

  async #retire(replica: Replica, graceMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, graceMs);
    });
    await Promise.race([this.listener.laneLeaving(replica), patience]);
    clearTimeout(timer);
    await replica.stop(graceMs);
  }

  #watchRecycling(): void {
    const { recycleAfterS, recycleAfterRequests, recycleMemoryGrowthBytes } = this.options.model.config.sconce;
    if (this.#recycleTimer !== undefined || (recycleAfterS ?? recycleAfterRequests ?? recycleMemoryGrowthBytes) === undefined) return;
    this.#recycleTimer = setInterval(() => {
      if (this.#recycling) return;
      this.#recycling = true;
      this.#steps = this.#steps.then(() => this.#recycleOne());
    }, RECYCLE_CHECK_MS);
    this.#recycleTimer.unref();
  }

  async #noteSize(replica: Replica): Promise<void> {
    const bytes = await replica.memoryBytes();
    if (bytes !== undefined) this.#sizeWhenReady.set(replica, bytes);
  }

  async #recycleOne(): Promise<void> {
    try {
      for (const old of this.#replicas) {
        const why = await this.#recycleReason(old);
        if (why === undefined) continue;
        await this.#replace(old, why);
        return;
      }
    } finally {
      this.#recycling = false;
    }
  }

  async #recycleReason(replica: Replica): Promise<string | undefined> {
    if (replica.state !== 'ready') return undefined;
    const { recycleAfterS, recycleAfterRequests, recycleMemoryGrowthBytes } = this.options.model.config.sconce;
    const { requests, readyForMs } = replica.service;
    if (recycleAfterS !== undefined && readyForMs > recycleAfterS * 1000) return `it is ${recycleAfterS} s old`;
    if (recycleAfterRequests !== undefined && requests >= recycleAfterRequests) return `it served ${requests} requests`;
    if (recycleMemoryGrowthBytes === undefined) return undefined;
    const before = this.#sizeWhenReady.get(replica);
    const now = await replica.memoryBytes();
    if (before === undefined || now === undefined || now - before < recycleMemoryGrowthBytes) return undefined;
    return `it grew by ${Math.round((now - before) / 2 ** 20)} MiB`;
  }

  async #replace(old: Replica, why: string): Promise<void> {
    const { log, responseTimeoutMs } = this.options;
    const successor = this.#add(this.#replicas.indexOf(old), this.#replicas.length);
    log.info(`Recycling worker ${old.name}: ${why}. ${successor.name} takes its place.`);
    const failure = await successor.firstLoad;
    // Whoever stopped the whole set has seen to its end.
    if (!this.#take(successor)) return;
    const place = this.#replicas.indexOf(old);
    if (failure === undefined && place >= 0) this.#replicas.splice(place, 1, successor);
    if (failure !== undefined) log.warn(`${successor.name} did not come up, ${old.name} stays: ${failure.message}`);
    await this.#retire(failure === undefined && place >= 0 ? old : successor, responseTimeoutMs);
  }

  /** Takes a replica out of the list; false when it isn't in it. */
  #take(replica: Replica): boolean {
    const at = this.#replicas.indexOf(replica);
    if (at >= 0) this.#replicas.splice(at, 1);
    return at >= 0;
  }
}

function sameCores(one: Share, other: Share): boolean {
  return one.cores?.join() === other.cores?.join();
}

/** Resolves with the first failure as soon as there is one, or with undefined when all succeeded. */
function firstFailure(outcomes: readonly Promise<SconceError | undefined>[]): Promise<SconceError | undefined> {
  return new Promise((resolve) => {
    let open = outcomes.length;
    if (open === 0) resolve(undefined);
    for (const outcome of outcomes) {
      void outcome.then((failure) => {
        open -= 1;
        if (failure !== undefined || open === 0) resolve(failure);
      });
    }
  });
}
