import type { CrashDossier } from '../backends/crash-dossier.js';
import { BackendUnavailable } from '../errors/backend.js';
import { DependenciesFailed, ModelNotFound, VersionExists } from '../errors/model.js';
import { SconceError } from '../errors/sconce-error.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ServableModel } from '../inference/servable-model.js';
import { bareLocation } from '../observability/bare-location.js';
import type { Log } from '../observability/observer.js';
import { ChangeLine } from './change-line.js';
import type { AdmitWish, ModelIntake } from './model-intake.js';
import type { ListedModel, ModelMetadata, ModelService, Registered, RegisterWish, ScaleWish, VersionDescription } from './model-service.js';
import { ModelVersions } from './model-versions.js';
import { ServedVersion, type ServingParts } from './served-version.js';
import type { Place, ServingAccounts } from './serving-accounts.js';
import { startFailure } from './start-failure.js';
import { type ConfiguredVersion, type RestoredLimits, resolveLimits, restoredLimits, type ServerDefaults, type VersionLimits } from './version-limits.js';

export interface RegistryOptions {
  readonly intake: ModelIntake;
  readonly serving: ServingParts;
  readonly defaults: ServerDefaults;
  /** The `models` JSON. */
  readonly configured: (model: string, version: string) => ConfiguredVersion;
  /** undefined: there are no tenants. */
  readonly accounts?: ServingAccounts | undefined;
  readonly log: Log;
}

export interface StartupModel {
  readonly name: string | undefined;
  readonly url: string;
}

const STOP_AT_ONCE = (version: ServedVersion) => version.stop(AbortSignal.abort(), 0);

type LimitsOf = (model: ServableModel) => VersionLimits;

/** A version to serve as it was served before. */
export interface RestoredVersion extends RestoredLimits {
  readonly model: string;
  readonly version: string;
  readonly isDefault: boolean;
  /** Name in the model store. */
  readonly archive: string;
  readonly runtime: ServableModel['runtime'] | undefined;
  readonly handler: string | undefined;
}

/** What is served: names, versions, defaults. All changes of one model run one after another; requests never wait for them. */
export class Registry implements ModelService {
  readonly #models = new Map<string, ModelVersions>();
  readonly #changes = new ChangeLine();
  /** What is being prepared: not registered yet, but it can be unregistered. */
  readonly #preparing = new Map<ServableModel, AbortController>();
  /** What each stands on in its tenant's account. */
  readonly #places = new WeakMap<ServedVersion, Place>();
  readonly #startup: string[] = [];
  #startupDone = false;
  #draining = false;

  constructor(private readonly options: RegistryOptions) {}

  infer(request: InferenceRequest, answer: Answer): void {
    this.#hand(request, answer, (version) => version.offer(request, answer));
  }

  /** Asks a model that judges others: its own rules are not asked, so that guards can't call for one another without end. */
  judge(request: InferenceRequest, answer: Answer): void {
    this.#hand(request, answer, (version) => version.scheduler.offer(request, answer));
  }

  #hand({ model, version }: InferenceRequest, answer: Answer, hand: (to: ServedVersion) => void): void {
    try {
      hand(this.#find(model).get(version));
    } catch (error) {
      if (!(error instanceof SconceError)) throw error;
      answer.fail(error);
    }
  }

  assertServed(model: string, version: string | undefined): void {
    this.#find(model).get(version);
  }

  /** Loads the start-up models one after another up to their unpacking; their workers come up together. A broken one is logged and left out. `stopping` ends it. */
  async loadAtStartup(models: readonly StartupModel[], stopping?: AbortSignal): Promise<void> {
    await this.#loadAll(models, stopping, async ({ name, url }) => {
      const version = await this.#admit({ url, modelName: name, namedBy: 'operator' }, this.#limitsFor(undefined), true);
      this.#startup.push(version.model.name);
      return version;
    });
  }

  /** Serves what was served before, in the way of start-up models. Gives what could not be restored, or not before `stopping` ended it. */
  async restore<T extends RestoredVersion>(versions: readonly T[], stopping?: AbortSignal): Promise<readonly T[]> {
    const { configured, defaults, log } = this.options;
    const wanted = versions.map((restored) => ({ url: restored.archive, restored }));
    const left = await this.#loadAll(wanted, stopping, async ({ restored }) => {
      const { archive, model: modelName, runtime, handler } = restored;
      const limitsOf = (model: ServableModel) => restoredLimits(model, configured(model.name, model.version), restored, defaults);
      const version = await this.#admit({ url: archive, modelName, runtime, handler, namedBy: 'operator' }, limitsOf, false);
      const found = version.model.version;
      if (found !== restored.version)
        log.warn(`${archive} is version ${found}, not ${restored.version} as the snapshot says: model ${modelName} is served as ${found}`);
      if (restored.isDefault) this.setDefault(modelName, found);
      return version;
    });
    return left.map(({ restored }) => restored);
  }

  /** Admits one after another and starts their workers. A broken one is logged. Gives those that were not admitted. */
  async #loadAll<T extends { readonly url: string }>(
    wanted: readonly T[],
    stopping: AbortSignal | undefined,
    admit: (one: T) => Promise<ServedVersion>,
  ): Promise<readonly T[]> {
    const { log } = this.options;
    const workers: Promise<unknown>[] = [];
    const left: T[] = [];
    for (const one of wanted) {
      const { url } = one;
      if (stopping?.aborted) {
        left.push(one);
        continue;
      }
      const shown = bareLocation(url);
      // Many an error says the location.
      const failed = (why: string) => log.warn(`Failed to load model: ${shown}: ${why.replaceAll(url, shown)}`);
      log.info(`Loading initial models: ${shown}`);
      try {
        const version = await admit(one);
        const started = this.#scale(version, version.limits, version.model.version);
        workers.push(started.catch((error: unknown) => failed(startFailure(error))));
      } catch (error) {
        left.push(one);
        failed(error instanceof Error ? error.message : String(error));
        if (!(error instanceof SconceError)) log.error('Unexpected error while loading a model', error);
      }
    }
    void Promise.all(workers).then(() => {
      this.#startupDone = true;
    });
    return left;
  }

  async register(wish: RegisterWish): Promise<Registered> {
    return this.#startWorkers(await this.#admit(wish, this.#limitsFor(wish), false), wish);
  }

  /** Serves a model that came in by another way, alone under its name. Rejects with VersionExists when the name is taken, else as `register` does; the model's files are freed then. */
  async serveAlone(model: ServableModel, wish: RegisterWish): Promise<Registered> {
    return this.#startWorkers(await this.#serve(model, this.#limitsFor(wish), { alone: true, atStartup: false }), wish);
  }

  async #startWorkers(version: ServedVersion, wish: RegisterWish): Promise<Registered> {
    const { model, limits } = version;
    const facts = { model: model.name, version: model.version, minWorkers: limits.minWorkers };
    if (limits.minWorkers <= 0) return { ...facts, workers: 'none' };
    const started = this.#scale(version, limits, model.version);
    if (!wish.synchronous) {
      started.catch((error: unknown) => this.options.log.warn(startFailure(error)));
      return { ...facts, workers: 'starting' };
    }
    try {
      return { ...facts, workers: (await started) === 'complete' ? 'started' : 'partial' };
    } catch (error) {
      await this.#remove(version, STOP_AT_ONCE);
      throw error;
    }
  }

  /** Takes every version of a name away, once what runs on them is answered or the time for that is over. Never rejects; a name that isn't there is no matter. */
  withdraw(model: string): Promise<void> {
    return this.#changes.run(model, async () => {
      for (const version of this.#models.get(model)?.all() ?? []) await this.#remove(version, (one) => one.withdraw());
    });
  }

  async scale(wish: ScaleWish): Promise<'complete' | 'partial' | 'accepted'> {
    const version = this.#find(wish.model).get(wish.version);
    const scaled = this.#scale(version, wish, wish.version);
    if (wish.synchronous) return scaled;
    scaled.catch((error: unknown) => this.options.log.warn(startFailure(error)));
    return 'accepted';
  }

  /** Throws BeyondQuota. */
  #scale(
    version: ServedVersion,
    { minWorkers, maxWorkers }: Pick<VersionLimits, 'minWorkers' | 'maxWorkers'>,
    namedVersion: string | undefined,
  ): Promise<'complete' | 'partial'> {
    const place = this.#places.get(version);
    if (place === undefined) return version.scale(minWorkers, maxWorkers, namedVersion);
    const ended = place.scaling(minWorkers, maxWorkers);
    return version.scale(minWorkers, maxWorkers, namedVersion).finally(ended);
  }

  unregister(model: string, version: string | undefined): Promise<void> {
    const preparing = this.#preparingOf(model, version);
    if (preparing !== undefined) {
      preparing.abort('it was unregistered meanwhile');
      return this.#changes.run(model, async () => undefined);
    }
    return this.#changes.run(model, async () => {
      const versions = this.#find(model);
      const served = versions.get(version);
      versions.assertRemovable(served);
      await this.#remove(served, (version) => version.retire());
    });
  }

  setDefault(model: string, version: string): void {
    this.#find(model).setDefault(version);
  }

  list(): readonly ListedModel[] {
    return [...this.#models.values()]
      .flatMap(({ name, defaultVersion: { model } }) => (model.url === undefined ? [] : [{ name, url: model.url }]))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  describe(model: string, version: string | undefined): VersionDescription {
    return this.#find(model).get(version).describe();
  }

  describeAll(model: string): readonly VersionDescription[] {
    return this.#find(model)
      .all()
      .map((version) => version.describe());
  }

  healthy(counts: (model: string) => boolean = () => true): boolean {
    return [...this.#models.values()].every((versions) => !counts(versions.name) || versions.defaultVersion.healthy);
  }

  ready(): boolean {
    return !this.#draining && this.#startupDone;
  }

  hasWorkers(model: string): boolean {
    return this.#find(model).defaultVersion.workerCount > 0;
  }

  metadata(model: string, version: string | undefined): ModelMetadata {
    const versions = this.#find(model);
    const served = versions.get(version);
    const { takesTensors, loaded, signature } = served;
    return { name: model, versions: versions.all().map((one) => one.model.version), takesTensors, loaded, signature };
  }

  modelReady(model: string, version: string | undefined): boolean {
    return this.#find(model).get(version).healthy;
  }

  startupModels(): readonly string[] {
    return this.#startup;
  }

  crashes(): readonly CrashDossier[] {
    return this.options.serving.crashes.all();
  }

  /** Reads every worker's memory, and what the GPUs do, anew, for describe and the metrics. */
  async refreshMemory(): Promise<void> {
    await Promise.all([this.options.serving.gpus.refresh(), ...this.#versions().map((version) => version.refreshMemory())]);
  }

  /** Answers what was accepted until `deadline`, then stops all workers, each within `graceMs`, and frees the models' files. */
  async stop(deadline: AbortSignal, graceMs: number): Promise<void> {
    this.#draining = true;
    const versions = this.#versions();
    await Promise.all(versions.map((version) => version.stop(deadline, graceMs)));
    await Promise.all(versions.map((version) => this.options.intake.release(version.model, { deleteDownloaded: false })));
  }

  #versions(): ServedVersion[] {
    return [...this.#models.values()].flatMap((versions) => versions.all());
  }

  #find(model: string): ModelVersions {
    const versions = this.#models.get(model);
    if (versions === undefined) throw ModelNotFound({ model });
    return versions;
  }

  /** One that is still being prepared. Without a version it is meant only where the model has no other. */
  #preparingOf(name: string, version: string | undefined): AbortController | undefined {
    const meant = [...this.#preparing].find(([model]) => model.name === name && (version === undefined ? !this.#models.has(name) : model.version === version));
    return meant?.[1];
  }

  async #prepare(model: ServableModel): Promise<ServableModel> {
    const ending = new AbortController();
    this.#preparing.set(model, ending);
    try {
      const prepared = await this.options.intake.prepare(model, ending.signal);
      // What was there already, or done in the same moment, is no installation that a signal ends.
      if (ending.signal.aborted)
        throw DependenciesFailed({ message: `Registration of model ${model.name} was given up`, reason: String(ending.signal.reason) });
      return prepared;
    } finally {
      this.#preparing.delete(model);
    }
  }

  /** `wish` is undefined for a model loaded at start. */
  #limitsFor(wish: RegisterWish | undefined): LimitsOf {
    const { configured, defaults } = this.options;
    return (model) => resolveLimits(model, configured(model.name, model.version), wish, defaults);
  }

  async #admit(wish: AdmitWish, limitsOf: LimitsOf, atStartup: boolean): Promise<ServedVersion> {
    const { intake, accounts } = this.options;
    // Where the name is known, a tenant that has no place left is refused before anything is fetched.
    const place = wish.modelName ? accounts?.begin(wish.modelName) : undefined;
    let admitted: ServableModel;
    try {
      admitted = await intake.admit(wish);
    } catch (error) {
      place?.end();
      throw error;
    }
    return this.#serve(admitted, limitsOf, { alone: false, atStartup, place });
  }

  #serve(
    admitted: ServableModel,
    limitsOf: LimitsOf,
    { alone, atStartup, place: taken }: { readonly alone: boolean; readonly atStartup: boolean; readonly place?: Place | undefined },
  ): Promise<ServedVersion> {
    const { intake, serving, accounts, log } = this.options;
    return this.#changes.run(admitted.name, async () => {
      let place = taken;
      try {
        place ??= accounts?.begin(admitted.name);
        if (alone && this.#models.has(admitted.name))
          throw VersionExists({ model: admitted.name, version: this.#find(admitted.name).defaultVersion.model.version });
        this.#assertFree(admitted);
        const prepared = await this.#prepare(admitted);
        const model = place === undefined ? prepared : { ...prepared, tenant: place.tenant };
        const backend = serving.backends.get(model.backend);
        if (backend === undefined) throw BackendUnavailable({ backend: model.backend, why: 'it is not part of this server' });
        const limits = limitsOf(model);
        const version = new ServedVersion(model, limits, atStartup, backend, serving);
        place?.scaling(limits.minWorkers, limits.maxWorkers)();
        void backend.prepare(model).catch((error: unknown) => log.error(`The ${backend.name} backend could not get ready`, error));
        const versions = this.#models.get(model.name) ?? new ModelVersions(model.name);
        versions.add(version);
        this.#models.set(model.name, versions);
        if (place !== undefined) {
          place.called(model.name, model.version);
          this.#places.set(version, place);
        }
        log.info(`Model ${model.name} loaded.`);
        return version;
      } catch (error) {
        await intake.release(admitted, { deleteDownloaded: true });
        place?.end();
        throw error;
      }
    });
  }

  #assertFree(model: ServableModel): void {
    const exists = this.#models
      .get(model.name)
      ?.all()
      .some((version) => version.model.version === model.version);
    if (exists) throw VersionExists({ model: model.name, version: model.version });
  }

  async #remove(version: ServedVersion, stop: (version: ServedVersion) => Promise<void>): Promise<void> {
    const { model } = version;
    const versions = this.#models.get(model.name);
    if (versions === undefined) return;
    versions.remove(version);
    if (versions.size === 0) this.#models.delete(model.name);
    try {
      await stop(version);
    } catch (error) {
      const back = this.#models.get(model.name) ?? versions;
      back.restore(version);
      this.#models.set(model.name, back);
      throw error;
    }
    await this.options.intake.release(model, { deleteDownloaded: true });
    this.#places.get(version)?.end();
  }
}
