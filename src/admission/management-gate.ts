import { BadRequest, MethodNotAllowed, NameNotGranted } from '../errors/admission.js';
import { ModelNotFound } from '../errors/model.js';
import { NotScanned } from '../errors/scanning.js';
import type { Principal } from '../inference/principal.js';
import type { ScanReport } from '../inference/scan-report.js';
import { bareLocation } from '../observability/bare-location.js';
import type { ListedModel, ModelService, Registered, RegisterWish, ScaleWish, VersionDescription } from '../registry/model-service.js';
import { MAX_WORKERS_PER_MODEL } from '../registry/version-limits.js';
import { type Audit, auditEvent, audited, codeOf, DONE, type ManagementAction } from './audit.js';
import type { Caller } from './caller.js';

export type { ListedModel, Registered, RegisterWish, ScaleWish, VersionDescription } from '../registry/model-service.js';

export interface ManagementGateOptions {
  readonly enableModelApi: boolean;
  readonly audit?: Audit | undefined;
}

/** The door inwards for management: what is allowed at all, to whom, and whether a wish makes sense. What the caller may not manage is not found, in the words for what isn't there. */
export class ManagementGate {
  constructor(
    private readonly models: ModelService,
    private readonly options: ManagementGateOptions,
  ) {}

  /** Refuses a registration before its parameters are read. Throws MethodNotAllowed where the model API is off. */
  assertModelApi(caller: Caller): void {
    if (this.options.enableModelApi) return;
    this.#ended(caller, { verb: 'register', subject: '', version: undefined }, MethodNotAllowed.code);
    throw MethodNotAllowed({});
  }

  /** Whoever may manage some models only has to name the one that it registers. */
  register(caller: Caller, wish: RegisterWish): Promise<Registered> {
    return this.#audited(caller, { verb: 'register', subject: bareLocation(wish.url), version: undefined }, async () => {
      if (!this.options.enableModelApi) throw MethodNotAllowed({});
      assertMayName(caller.principal, 'model_name', wish.modelName);
      assertCount(wish.initialWorkers ?? 0);
      return this.models.register(wish);
    });
  }

  unregister(caller: Caller, model: string, version: string | undefined): Promise<void> {
    return this.#audited(caller, { verb: 'unregister', subject: model, version }, async () => {
      if (!this.options.enableModelApi) throw MethodNotAllowed({});
      assertVisible(caller, model);
      await this.models.unregister(model, version);
    });
  }

  scale(caller: Caller, wish: ScaleWish): Promise<'complete' | 'partial' | 'accepted'> {
    return this.#audited(caller, { verb: 'scale', subject: wish.model, version: wish.version }, async () => {
      assertCount(wish.minWorkers);
      if (wish.minWorkers < 0) throw BadRequest({ message: 'min_worker cannot be negative.' });
      if (wish.maxWorkers < wish.minWorkers) throw BadRequest({ message: 'max_worker cannot be less than min_worker.' });
      assertVisible(caller, wish.model);
      return this.models.scale(wish);
    });
  }

  setDefault(caller: Caller, model: string, version: string): void {
    const action = { verb: 'set-default', subject: model, version } as const;
    try {
      assertVisible(caller, model);
      this.models.setDefault(model, version);
    } catch (error) {
      this.#ended(caller, action, codeOf(error));
      throw error;
    }
    this.#ended(caller, action, DONE);
  }

  list({ principal }: Caller): readonly ListedModel[] {
    return this.models.list().filter(({ name }) => principal.mayUse('manage', name));
  }

  describe(caller: Caller, model: string, version: string | undefined): VersionDescription {
    assertVisible(caller, model);
    return this.models.describe(model, version);
  }

  describeAll(caller: Caller, model: string): readonly VersionDescription[] {
    assertVisible(caller, model);
    return this.models.describeAll(model);
  }

  /** Throws NotScanned where scans are off. */
  scanReport(caller: Caller, model: string, version: string | undefined): ScanReport {
    assertVisible(caller, model);
    const { scan } = this.models.describe(model, version).model;
    if (scan === undefined) throw NotScanned({ model });
    return scan;
  }

  hasWorkers(caller: Caller, model: string): boolean {
    assertVisible(caller, model);
    return this.models.hasWorkers(model);
  }

  crashes({ principal }: Caller): VersionDescription['crashes'] {
    return this.models.crashes().filter(({ model }) => principal.mayUse('manage', model));
  }

  #audited<T>(caller: Caller, action: ManagementAction, act: () => Promise<T>): Promise<T> {
    return audited(this.options.audit, caller, action, act);
  }

  #ended(caller: Caller, action: ManagementAction, result: string): void {
    this.options.audit?.(auditEvent(caller, action, result));
  }
}

/** Throws ModelNotFound for a name that isn't the principal's to use, and NameNotGranted where it has to give one: the archive's own could be another's. */
export function assertMayName(principal: Principal, parameter: string, name: string | undefined): void {
  if (principal.hasForAll('manage')) return;
  if (name === undefined) throw NameNotGranted({ parameter, patterns: principal.patternsOf('manage') });
  if (!principal.mayUse('manage', name)) throw ModelNotFound({ model: name });
}

function assertVisible({ principal }: Caller, model: string): void {
  if (!principal.mayUse('manage', model)) throw ModelNotFound({ model });
}

/** Throws BadRequest for a count that no machine can mean. */
function assertCount(workers: number): void {
  if (workers > MAX_WORKERS_PER_MODEL) throw BadRequest({ message: `More than ${MAX_WORKERS_PER_MODEL} workers of one model are not allowed.` });
}
