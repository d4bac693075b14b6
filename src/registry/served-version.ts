import type { Backend } from '../backends/backend.js';
import type { CrashLog } from '../backends/crash-log.js';
import type { DeviceAllocator } from '../backends/device-allocator.js';
import type { GpuWatch } from '../backends/gpu-watch.js';
import type { Placement } from '../backends/placement.js';
import { ReplicaSet } from '../backends/replica-set.js';
import type { TenantResources } from '../backends/tenant-resources.js';
import type { WorkerIds } from '../backends/worker-ids.js';
import { NotEnoughDevices, UnregisterTimedOut, WorkersNotStarted } from '../errors/model.js';
import type { WeightOf } from '../inference/fair-share.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ServableModel } from '../inference/servable-model.js';
import type { ServedSignature } from '../inference/served-signature.js';
import { Inspection, type InspectionParts } from '../inputs/inspection.js';
import type { Log, Observer } from '../observability/observer.js';
import { chooseDiscipline } from '../scheduling/discipline.js';
import { Dispatcher } from '../scheduling/dispatcher.js';
import type { Scheduler } from '../scheduling/scheduler.js';
import type { SequenceHeaderNames } from '../scheduling/sequence-headers.js';
import type { VersionDescription, WorkerDescription } from './model-service.js';
import type { VersionLimits } from './version-limits.js';

/** What every served version shares. */
export interface ServingParts {
  readonly backends: ReadonlyMap<ServableModel['backend'], Backend>;
  readonly workerIds: WorkerIds;
  readonly devices: DeviceAllocator;
  readonly gpus: GpuWatch;
  readonly placement: Placement;
  /** What each tenant's models run on in place of `devices` and `placement`; undefined where the server knows no tenants. */
  readonly resources?: TenantResources | undefined;
  /** How tenants share what there is too little of; equally unless given. */
  readonly weightOf?: WeightOf | undefined;
  readonly crashes: CrashLog;
  readonly observer: Observer;
  readonly log: Log;
  readonly maxResponseBytes: number;
  /** How long a worker may finish its work when it is scaled down or unregistered. 0 fails every unregistration of a model with workers, as in TorchServe. */
  readonly unregisterTimeoutMs: number;
  readonly sequenceHeaders: SequenceHeaderNames;
  /** Where requests are inspected, and who judges them. */
  readonly inspections: Pick<InspectionParts, 'pool' | 'guards'>;
}

/** A worker that is being replaced takes a second of back-off and its load: a short response time-out must not refuse requests meanwhile. */
const MIN_LOADING_PATIENCE_MS = 10_000;
/** Timers count no further: debug mode's time-outs are longer. */
const DAY_MS = 86_400_000;

/** One version of a model that answers: its scheduler, its replicas and its limits. */
export class ServedVersion {
  readonly scheduler: Scheduler;
  readonly #replicas: ReplicaSet;
  readonly #devices: DeviceAllocator;
  readonly #inspection: Inspection | undefined;
  readonly #memoryBytes = new Map<number, number>();

  /** Throws DisciplineRefused. */
  constructor(
    readonly model: ServableModel,
    readonly limits: VersionLimits,
    readonly loadedAtStartup: boolean,
    private readonly backend: Backend,
    private readonly parts: ServingParts,
  ) {
    const responseTimeoutMs = Math.min(limits.responseTimeoutS * 1000, DAY_MS);
    this.scheduler = new Dispatcher(
      model.name,
      chooseDiscipline(model, limits, parts.sequenceHeaders, parts.weightOf),
      {
        batchSize: limits.batchSize,
        maxBatchDelayMs: limits.maxBatchDelayMs,
        responseTimeoutMs,
        loadingPatienceMs: Math.max(responseTimeoutMs, MIN_LOADING_PATIENCE_MS),
        clientTimeoutMs: limits.clientTimeoutMs,
        retryOnWorkerDeath: model.config.sconce.retryOnWorkerDeath,
        useJobTicket: model.config.useJobTicket ?? false,
      },
      parts.observer,
    );
    const { workerIds, crashes, observer, log, maxResponseBytes } = parts;
    const resources = parts.resources?.of(model.tenant);
    const { devices, placement } = resources ?? parts;
    this.#devices = devices;
    const of = {
      model: model.name,
      key: `${model.name}/${model.version}/${model.contentHash}`,
      ordered: model.config.sequenceBatching === true,
      tenant: model.tenant?.name,
    };
    this.#inspection =
      model.inputRules === undefined
        ? undefined
        : new Inspection(model.inputRules, of, (request, answer) => this.scheduler.offer(request, answer), { ...parts.inspections, observer, log });
    this.#replicas = new ReplicaSet(
      {
        model,
        backend,
        batchSize: limits.batchSize,
        startupTimeoutMs: Math.min(limits.startupTimeoutS * 1000, DAY_MS),
        responseTimeoutMs,
        recoveryWindowMs: limits.maxRetryTimeoutS * 1000,
        maxResponseBytes,
        workerIds,
        devices,
        placement,
        resources,
        crashes,
        observer,
        log,
      },
      this.scheduler,
    );
  }

  /** Queues a request that keeps the model's rules, or is refused. Never throws and never loses it. */
  offer(request: InferenceRequest, answer: Answer): void {
    if (this.#inspection === undefined) this.scheduler.offer(request, answer);
    else this.#inspection.offer(request, answer);
  }

  get healthy(): boolean {
    return this.#replicas.healthy;
  }

  /** Whether the model is run on tensors, without a handler that reads requests. */
  get takesTensors(): boolean {
    return this.backend.signatureOf !== undefined;
  }

  /** Whether a worker is up. */
  get loaded(): boolean {
    return this.#replicas.replicas.some((replica) => replica.state === 'ready');
  }

  /** undefined until a worker has loaded. */
  get signature(): ServedSignature | undefined {
    return this.backend.signatureOf?.(this.model);
  }

  get workerCount(): number {
    return this.#replicas.replicas.length;
  }

  /** Resolves when the workers have loaded once (`complete`) or the wait is over with some missing (`partial`). A parallel model gets no more workers than there are devices for.
   *  Rejects with NotEnoughDevices, or with WorkersNotStarted while the workers go on trying. */
  async scale(wantedMinimum: number, wantedMaximum: number, namedVersion: string | undefined): Promise<'complete' | 'partial'> {
    const { config, name } = this.model;
    const capacity = this.#devices.capacity(config);
    if (capacity === 0) throw NotEnoughDevices({ model: name, parallelLevel: config.parallelLevel ?? 0 });
    const minimum = Math.min(wantedMinimum, capacity);
    const failure = await this.#replicas.scale(minimum, Math.min(wantedMaximum, capacity), Math.max(this.parts.unregisterTimeoutMs, 1));
    if (failure !== undefined) {
      const status = failure.rendering.http === 507 ? 507 : 500;
      throw WorkersNotStarted({ model: this.model.name, version: namedVersion, status, lastLine: failure.message }, failure);
    }
    const running = this.#replicas.replicas.filter((replica) => replica.state === 'ready').length;
    return running >= minimum ? 'complete' : 'partial';
  }

  /** Answers what was accepted, then ends the workers. Rejects with UnregisterTimedOut, and stays as it was, when no time is allowed and workers live. */
  async retire(): Promise<void> {
    if (this.parts.unregisterTimeoutMs <= 0 && this.workerCount > 0) throw UnregisterTimedOut({ model: this.model.name });
    await this.withdraw();
  }

  /** As `retire`, but never rejects: where no time is allowed, what runs is cut off. */
  withdraw(): Promise<void> {
    const { unregisterTimeoutMs } = this.parts;
    return this.stop(AbortSignal.timeout(Math.max(1, unregisterTimeoutMs)), unregisterTimeoutMs);
  }

  /** Drains until `deadline`, then gives workers `graceMs` to end. Never rejects. */
  async stop(deadline: AbortSignal, graceMs: number): Promise<void> {
    await this.scheduler.drain(deadline);
    await this.#replicas.stop(graceMs);
  }

  /** Reads the workers' resident memory for describe. */
  async refreshMemory(): Promise<void> {
    await Promise.all(
      this.#replicas.replicas.map(async (replica) => {
        const bytes = await replica.memoryBytes();
        if (bytes !== undefined) this.#memoryBytes.set(replica.id, bytes);
      }),
    );
  }

  get workerPids(): readonly number[] {
    return this.#replicas.replicas.flatMap((replica) => replica.pid ?? []);
  }

  describe(): VersionDescription {
    const { limits, model, parts } = this;
    return {
      model,
      minWorkers: this.#replicas.minimum,
      maxWorkers: this.#replicas.maximum,
      batchSize: limits.batchSize,
      maxBatchDelayMs: limits.maxBatchDelayMs,
      responseTimeoutS: limits.responseTimeoutS,
      startupTimeoutS: limits.startupTimeoutS,
      maxRetryTimeoutS: limits.maxRetryTimeoutS,
      clientTimeoutMs: limits.clientTimeoutMs,
      deviceType: this.#devices.kindFor(model.config.deviceType),
      deviceIds: this.#devices.validIds(model.config.deviceIds),
      loadedAtStartup: this.loadedAtStartup,
      workers: this.#replicas.replicas.map((replica): WorkerDescription => {
        const gpu = replica.device.kind === 'gpu';
        return {
          id: replica.id,
          startedAtMs: replica.createdAtMs,
          ready: replica.state === 'ready',
          memoryBytes: this.#memoryBytes.get(replica.id) ?? 0,
          pid: replica.pid ?? -1,
          sandbox: replica.sandbox,
          gpu,
          gpuUsage: replica.device.kind === 'gpu' ? parts.gpus.textOf(replica.device.visible?.[replica.device.id] ?? replica.device.id) : 'N/A',
        };
      }),
      queue: { remainingCapacity: this.scheduler.remainingCapacity, pendingRequests: this.scheduler.pendingRequests },
      crashes: parts.crashes.of(model.name, model.version),
      isolation: this.backend.isolationOf?.(model),
    };
  }
}
