import type { CrashDossier } from '../backends/crash-dossier.js';
import type { Isolation } from '../backends/isolation.js';
import type { SandboxReport } from '../backends/sandbox-report.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ServableModel } from '../inference/servable-model.js';
import type { ServedSignature } from '../inference/served-signature.js';

/** Parameters of a registration, defaults not yet filled in: undefined means unset. Times in the unit of the name. */
export interface RegisterWish {
  readonly url: string;
  readonly modelName?: string | undefined;
  readonly runtime?: ServableModel['runtime'] | undefined;
  readonly handler?: string | undefined;
  readonly batchSize?: number | undefined;
  readonly maxBatchDelayMs?: number | undefined;
  readonly initialWorkers?: number | undefined;
  readonly synchronous: boolean;
  readonly responseTimeoutS?: number | undefined;
  readonly startupTimeoutS?: number | undefined;
  readonly s3SseKms: boolean;
  /** SHA-256 that the archive must have, hex. */
  readonly sha256?: string | undefined;
}

export interface Registered {
  readonly model: string;
  readonly version: string;
  readonly minWorkers: number;
  /** `none`: no workers were asked for. `started`: all run (synchronous). `starting`: they are coming up (asynchronous). `partial`: the wait ended and not all run. */
  readonly workers: 'none' | 'started' | 'starting' | 'partial';
}

export interface ScaleWish {
  readonly model: string;
  readonly version: string | undefined;
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly synchronous: boolean;
}

export interface ListedModel {
  readonly name: string;
  readonly url: string;
}

export interface WorkerDescription {
  readonly id: number;
  /** Epoch ms of the worker's creation. */
  readonly startedAtMs: number;
  readonly ready: boolean;
  /** Bytes; 0 until first read. */
  readonly memoryBytes: number;
  /** -1 until known. */
  readonly pid: number;
  /** What holds around it; undefined where nothing does. */
  readonly sandbox?: SandboxReport | undefined;
  readonly gpu: boolean;
  readonly gpuUsage: string;
}

/** One version of a model as describe shows it; times in the unit of the name. */
export interface VersionDescription {
  readonly model: ServableModel;
  readonly minWorkers: number;
  readonly maxWorkers: number;
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
  readonly responseTimeoutS: number;
  readonly startupTimeoutS: number;
  readonly maxRetryTimeoutS: number;
  readonly clientTimeoutMs: number;
  readonly deviceType: 'cpu' | 'gpu';
  readonly deviceIds: readonly number[] | undefined;
  readonly loadedAtStartup: boolean;
  readonly workers: readonly WorkerDescription[];
  readonly queue: { readonly remainingCapacity: number; readonly pendingRequests: number };
  readonly crashes: readonly CrashDossier[];
  /** Where it runs; undefined where there is no choice. */
  readonly isolation?: Isolation | undefined;
}

/** What the Open Inference Protocol tells of a model. */
export interface ModelMetadata {
  readonly name: string;
  /** All of its versions, in the order in which they were added. */
  readonly versions: readonly string[];
  /** Whether the version that was asked for takes tensors itself; otherwise a handler reads the request. */
  readonly takesTensors: boolean;
  /** Whether one of its workers could answer at once. */
  readonly loaded: boolean;
  /** Tensors of that version; undefined for a handler's model, and until a worker has loaded. */
  readonly signature: ServedSignature | undefined;
}

/**
 * The registry's front: all that admission may call. Every method that names a model rejects with ModelNotFound or
 * ModelVersionNotFound when there is none. A `version` of undefined is the default version.
 */
export interface ModelService {
  /** Queues a request. Never throws and never loses it: the outcome goes to `answer`. */
  infer(request: InferenceRequest, answer: Answer): void;
  /** Throws ModelNotFound / ModelVersionNotFound. */
  assertServed(model: string, version: string | undefined): void;
  register(wish: RegisterWish): Promise<Registered>;
  /** Resolves to `complete`, or `partial` when the wait ended with workers missing; asynchronous wishes resolve at once to `accepted`. Rejects with WorkersNotStarted. */
  scale(wish: ScaleWish): Promise<'complete' | 'partial' | 'accepted'>;
  /** Rejects with DefaultVersionInUse, UnregisterTimedOut. */
  unregister(model: string, version: string | undefined): Promise<void>;
  setDefault(model: string, version: string): void;
  /** Default versions, names in code-unit order. */
  list(): readonly ListedModel[];
  describe(model: string, version: string | undefined): VersionDescription;
  describeAll(model: string): readonly VersionDescription[];
  /** True when the default version of every model, or of those that `counts` says, has at least minWorkers workers that run or may still recover. TorchServe's /ping rule. */
  healthy(counts?: (model: string) => boolean): boolean;
  /** True when start-up models are loaded (or given up) and the server isn't draining: Sconce's /ready. */
  ready(): boolean;
  /** The worker list of the default version is not empty: TorchServe's KServe v1 readiness. */
  hasWorkers(model: string): boolean;
  metadata(model: string, version: string | undefined): ModelMetadata;
  /** True when this version has at least minWorkers workers that run or may still recover: TorchServe's Open Inference readiness. */
  modelReady(model: string, version: string | undefined): boolean;
  /** Names of start-up models, in load order. */
  startupModels(): readonly string[];
  crashes(): readonly CrashDossier[];
}
