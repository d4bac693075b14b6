import { ModelNotFound, ModelVersionNotFound } from '../errors/model.js';
import type { ModelService } from '../registry/model-service.js';
import type { SnapshotKeeper } from './snapshot-keeper.js';

/** The models, with a snapshot after each change that a caller asked for: it lies on the disk when the caller gets the answer. */
export class SnapshottingModels implements ModelService {
  constructor(
    private readonly models: ModelService,
    private readonly keeper: SnapshotKeeper,
  ) {}

  readonly register: ModelService['register'] = (wish) =>
    this.#changed(async () => {
      const registered = await this.models.register(wish);
      this.keeper.giveUp(registered.model, registered.version);
      return registered;
    });

  readonly scale: ModelService['scale'] = (wish) => this.#changed(() => this.models.scale(wish));

  /** What a snapshot named and could not be restored is unregistered by being given up. */
  readonly unregister: ModelService['unregister'] = (model, version) =>
    this.#changed(async () => {
      try {
        await this.models.unregister(model, version);
      } catch (error) {
        if (!(ModelNotFound.is(error) || ModelVersionNotFound.is(error)) || !this.keeper.giveUp(model, version)) throw error;
      }
    });

  readonly setDefault: ModelService['setDefault'] = (model, version) => {
    this.models.setDefault(model, version);
    this.keeper.defaultChanged(model);
    void this.keeper.save('snapshot');
  };

  readonly infer: ModelService['infer'] = (request, answer) => this.models.infer(request, answer);
  readonly assertServed: ModelService['assertServed'] = (model, version) => this.models.assertServed(model, version);
  readonly list: ModelService['list'] = () => this.models.list();
  readonly metadata: ModelService['metadata'] = (model, version) => this.models.metadata(model, version);
  readonly modelReady: ModelService['modelReady'] = (model, version) => this.models.modelReady(model, version);
  readonly describe: ModelService['describe'] = (model, version) => this.models.describe(model, version);
  readonly describeAll: ModelService['describeAll'] = (model) => this.models.describeAll(model);
  readonly healthy: ModelService['healthy'] = (counts) => this.models.healthy(counts);
  readonly ready: ModelService['ready'] = () => this.models.ready();
  readonly hasWorkers: ModelService['hasWorkers'] = (model) => this.models.hasWorkers(model);
  readonly startupModels: ModelService['startupModels'] = () => this.models.startupModels();
  readonly crashes: ModelService['crashes'] = () => this.models.crashes();

  async #changed<T>(change: () => Promise<T>): Promise<T> {
    let outcome: T;
    try {
      outcome = await change();
    } catch (error) {
      // Meanwhile another change may have written what has come to nothing.
      await this.keeper.saveIfChanged();
      throw error;
    }
    await this.keeper.save('snapshot');
    return outcome;
  }
}
