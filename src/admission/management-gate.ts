import { BadRequest, MethodNotAllowed } from '../errors/admission.js';
import type { ListedModel, ModelService, Registered, RegisterWish, ScaleWish, VersionDescription } from '../registry/model-service.js';

export type { ListedModel, Registered, RegisterWish, ScaleWish, VersionDescription } from '../registry/model-service.js';

/** Workers that one call may ask for. */
const MAX_WORKERS = 1000;

/** The door inwards for management: what is allowed at all, and whether a wish makes sense. */
export class ManagementGate {
  constructor(
    private readonly models: ModelService,
    private readonly options: { readonly enableModelApi: boolean },
  ) {}

  /** Throws MethodNotAllowed where the model API is off. */
  assertModelApi(): void {
    if (!this.options.enableModelApi) throw MethodNotAllowed({});
  }

  async register(wish: RegisterWish): Promise<Registered> {
    this.assertModelApi();
    assertCount(wish.initialWorkers ?? 0);
    return this.models.register(wish);
  }

  async unregister(model: string, version: string | undefined): Promise<void> {
    this.assertModelApi();
    await this.models.unregister(model, version);
  }

  async scale(wish: ScaleWish): Promise<'complete' | 'partial' | 'accepted'> {
    assertCount(wish.minWorkers);
    if (wish.minWorkers < 0) throw BadRequest({ message: 'min_worker cannot be negative.' });
    if (wish.maxWorkers < wish.minWorkers) throw BadRequest({ message: 'max_worker cannot be less than min_worker.' });
    return this.models.scale(wish);
  }

  setDefault(model: string, version: string): void {
    this.models.setDefault(model, version);
  }

  list(): readonly ListedModel[] {
    return this.models.list();
  }

  describe(model: string, version: string | undefined): VersionDescription {
    return this.models.describe(model, version);
  }

  describeAll(model: string): readonly VersionDescription[] {
    return this.models.describeAll(model);
  }

  hasWorkers(model: string): boolean {
    return this.models.hasWorkers(model);
  }

  crashes(): VersionDescription['crashes'] {
    return this.models.crashes();
  }
}

/** Throws BadRequest for a count that no machine can mean. */
function assertCount(workers: number): void {
  if (workers > MAX_WORKERS) throw BadRequest({ message: `More than ${MAX_WORKERS} workers of one model are not allowed.` });
}
