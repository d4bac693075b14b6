import { LoadFailed } from '../errors/backend.js';
import { ModelBroken } from '../errors/model.js';
import { Draining, QueueFull } from '../errors/scheduling.js';
import { SconceError } from '../errors/sconce-error.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ModelMetadata, ModelService, RegisterWish } from './model-service.js';

/** Told of what happens to the model, in order. */
export interface ReloadListener {
  loading(): void;
  loaded(model: string, ms: number): void;
  failed(why: string): void;
}

export interface ReloadOptions {
  readonly wish: RegisterWish;
  /** Requests that may wait for a load. */
  readonly maxWaiting: number;
  readonly listener: ReloadListener;
}

interface Waiting {
  readonly request: InferenceRequest;
  readonly answer: Answer;
}

/**
 * One model that is loaded again whenever its files have changed. Invariant: a request that comes after a change is never answered by the code before it.
 *
 *  state     event → next                                              a request
 *  waiting   release() → as before, loaded → serving, failed → broken  waits; whether its client has gone is seen at the end
 *  serving   hold() or reload() → waiting                              goes to the registry
 *  broken    hold() or reload() → waiting                              is answered with the load error
 *
 * After a hold() the end of a load ends no waiting: that takes the release() or reload() that says what became of the files.
 */
export class ReloadingModels implements ModelService {
  #settled: 'never' | 'serving' | SconceError = 'never';
  #isWaiting = true;
  /** Files are being changed: what a load that ends now has read may be older. */
  #isHeld = false;
  #waiting: Waiting[] = [];
  #run: Promise<void> | undefined;
  #again = false;
  #isStopped = false;
  #tookTensors = true;

  constructor(
    private readonly models: ModelService,
    private readonly options: ReloadOptions,
  ) {}

  /** A file is being changed: requests wait from now on. */
  hold(): void {
    if (this.#isStopped) return;
    this.#isWaiting = true;
    this.#isHeld = true;
  }

  /** Nothing had changed after all. */
  release(): void {
    this.#isHeld = false;
    if (this.#run === undefined) this.#go();
  }

  /** Takes the model as it is loaded now away and loads it from its files. A load that runs is given up and begun again. Never rejects. */
  reload(): Promise<void> {
    if (this.#isStopped) return Promise.resolve();
    this.#isWaiting = true;
    this.#isHeld = false;
    if (this.#run === undefined) {
      this.#run = this.#loadUntilCurrent().finally(() => {
        this.#run = undefined;
      });
    } else {
      this.#again = true;
      void this.#takeAway();
    }
    return this.#run;
  }

  /** Answers those who wait as a server does that drains, and takes the model away. Nothing is loaded afterwards. Never rejects. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#isWaiting = false;
    this.#settled = Draining({});
    this.#go();
    await this.#takeAway();
    await this.#run;
  }

  infer(request: InferenceRequest, answer: Answer): void {
    if (this.#isWaiting) {
      if (this.#waiting.length >= this.options.maxWaiting) answer.fail(QueueFull({ model: request.model, version: request.version }));
      else this.#waiting.push({ request, answer });
    } else if (this.#settled instanceof SconceError) answer.fail(this.#settled);
    else this.models.infer(request, answer);
  }

  /** What isn't loaded is refused by `infer`, with its reason. */
  assertServed(model: string, version: string | undefined): void {
    if (!this.#isWaiting && this.#settled === 'serving') this.models.assertServed(model, version);
  }

  /** While nothing is loaded, requests for the model wait: it is said to be of the kind that it was. */
  metadata(model: string, version: string | undefined): ModelMetadata {
    if (this.ready()) return this.models.metadata(model, version);
    return { name: model, versions: [], takesTensors: this.#tookTensors, loaded: false, signature: undefined };
  }

  healthy(counts?: (model: string) => boolean): boolean {
    return this.#isWaiting || (this.#settled === 'serving' && this.models.healthy(counts));
  }

  ready(): boolean {
    return !this.#isWaiting && this.#settled === 'serving';
  }

  modelReady(model: string, version: string | undefined): boolean {
    return this.ready() && this.models.modelReady(model, version);
  }

  readonly register: ModelService['register'] = (wish) => this.models.register(wish);
  readonly scale: ModelService['scale'] = (wish) => this.models.scale(wish);
  readonly unregister: ModelService['unregister'] = (model, version) => this.models.unregister(model, version);
  readonly setDefault: ModelService['setDefault'] = (model, version) => this.models.setDefault(model, version);
  readonly list: ModelService['list'] = () => this.models.list();
  readonly describe: ModelService['describe'] = (model, version) => this.models.describe(model, version);
  readonly describeAll: ModelService['describeAll'] = (model) => this.models.describeAll(model);
  readonly hasWorkers: ModelService['hasWorkers'] = (model) => this.models.hasWorkers(model);
  readonly startupModels: ModelService['startupModels'] = () => this.models.list().map(({ name }) => name);
  readonly crashes: ModelService['crashes'] = () => this.models.crashes();

  async #loadUntilCurrent(): Promise<void> {
    do {
      this.#again = false;
      this.options.listener.loading();
      const settled = await this.#load();
      if (!this.#again && !this.#isStopped) this.#settle(settled);
    } while (this.#again && !this.#isStopped);
  }

  async #load(): Promise<{ readonly model: string; readonly ms: number } | SconceError> {
    const startedAtMs = performance.now();
    try {
      await this.#takeAway();
      if (this.#isStopped) return Draining({});
      const { model } = await this.models.register(this.options.wish);
      this.#tookTensors = this.models.metadata(model, undefined).takesTensors;
      return { model, ms: performance.now() - startedAtMs };
    } catch (error) {
      return ModelBroken({ why: whyBroken(error) }, error);
    }
  }

  /** Under whatever name it was loaded: the next manifest may have another. */
  async #takeAway(): Promise<void> {
    for (const { name } of this.models.list()) await this.models.unregister(name, undefined).catch(() => undefined); // It has gone meanwhile.
  }

  #settle(settled: { readonly model: string; readonly ms: number } | SconceError): void {
    const { listener } = this.options;
    if (settled instanceof SconceError) {
      this.#settled = settled;
      listener.failed(settled.message);
    } else {
      this.#settled = 'serving';
      listener.loaded(settled.model, settled.ms);
    }
    if (!this.#isHeld) this.#go();
  }

  #go(): void {
    this.#isWaiting = false;
    for (const { request, answer } of this.#waiting.splice(0)) this.infer(request, answer);
  }
}

/** The worker's own words where a worker failed; the registry's message names it in parentheses only. */
function whyBroken(error: unknown): string {
  if (error instanceof SconceError && LoadFailed.is(error.cause)) return error.cause.message;
  return error instanceof Error ? error.message : String(error);
}
