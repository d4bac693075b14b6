import { BadRequest, MethodNotAllowed } from '../errors/admission.js';
import { NotScanned } from '../errors/scanning.js';
import type { ScanReport } from '../inference/scan-report.js';
import type { ListedModel, ModelService, Registered, RegisterWish, ScaleWish, VersionDescription } from '../registry/model-service.js';
import { MAX_WORKERS_PER_MODEL } from '../registry/version-limits.js';
import { type Audit, audited, codeOf, DONE, type ManagementAction, withoutSecrets } from './audit.js';

export type { ListedModel, Registered, RegisterWish, ScaleWish, VersionDescription } from '../registry/model-service.js';

export interface ManagementGateOptions {
  readonly enableModelApi: boolean;
  readonly audit?: Audit | undefined;
}

/** The door inwards for management: what is allowed at all, and whether a wish makes sense. */
export class ManagementGate {
  constructor(
    private readonly models: ModelService,
    private readonly options: ManagementGateOptions,
  ) {}

  /** Refuses a registration before its parameters are read. Throws MethodNotAllowed where the model API is off. */
  assertModelApi(): void {
    if (this.options.enableModelApi) return;
    this.#ended({ verb: 'register', subject: '', version: undefined }, MethodNotAllowed.code);
    throw MethodNotAllowed({});
  }

  register(wish: RegisterWish): Promise<Registered> {
    return this.#audited({ verb: 'register', subject: withoutSecrets(wish.url), version: undefined }, async () => {
      if (!this.options.enableModelApi) throw MethodNotAllowed({});
      assertCount(wish.initialWorkers ?? 0);
      return this.models.register(wish);
    });
  }

  unregister(model: string, version: string | undefined): Promise<void> {
    return this.#audited({ verb: 'unregister', subject: model, version }, async () => {
      if (!this.options.enableModelApi) throw MethodNotAllowed({});
      await this.models.unregister(model, version);
    });
  }

  scale(wish: ScaleWish): Promise<'complete' | 'partial' | 'accepted'> {
    return this.#audited({ verb: 'scale', subject: wish.model, version: wish.version }, async () => {
      assertCount(wish.minWorkers);
      if (wish.minWorkers < 0) throw BadRequest({ message: 'min_worker cannot be negative.' });
      if (wish.maxWorkers < wish.minWorkers) throw BadRequest({ message: 'max_worker cannot be less than min_worker.' });
      return this.models.scale(wish);
    });
  }

  setDefault(model: string, version: string): void {
    const action = { verb: 'set-default', subject: model, version } as const;
    try {
      this.models.setDefault(model, version);
    } catch (error) {
      this.#ended(action, codeOf(error));
      throw error;
    }
    this.#ended(action, DONE);
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

  /** Throws NotScanned where scans are off. */
  scanReport(model: string, version: string | undefined): ScanReport {
    const { scan } = this.models.describe(model, version).model;
    if (scan === undefined) throw NotScanned({ model });
    return scan;
  }

  hasWorkers(model: string): boolean {
    return this.models.hasWorkers(model);
  }

  crashes(): VersionDescription['crashes'] {
    return this.models.crashes();
  }

  #audited<T>(action: ManagementAction, act: () => Promise<T>): Promise<T> {
    return audited(this.options.audit, action, act);
  }

  #ended(action: ManagementAction, result: string): void {
    this.options.audit?.(action, result);
  }
}

/** Throws BadRequest for a count that no machine can mean. */
function assertCount(workers: number): void {
  if (workers > MAX_WORKERS_PER_MODEL) throw BadRequest({ message: `More than ${MAX_WORKERS_PER_MODEL} workers of one model are not allowed.` });
}
