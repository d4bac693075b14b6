import { BeyondQuota, type QuotaName } from '../errors/tenant.js';
import type { Tenant, Tenants } from '../inference/tenant.js';

/** Nothing comes free by waiting alone: this is for clients that ask again by themselves. */
const ASK_AGAIN_S = 30;

/** What one tenant has at the moment. */
export interface Served {
  readonly models: number;
  readonly workers: number;
}

interface Account {
  readonly tenant: Tenant;
  models: number;
  workers: number;
}

/**
 * What each tenant serves, against what it may. Invariant: no tenant ever holds more models or workers than its quotas, however many
 * registrations and scalings run at once: a place is taken before the work for it begins, and freed when what stood on it has gone.
 */
export class ServingAccounts {
  readonly #accounts: ReadonlyMap<Tenant, Account>;
  /** `mnist_1.0`, the end of the names of its workers, and whose they are. */
  readonly #owners = new Map<string, readonly Tenant[]>();

  constructor(
    private readonly tenants: Tenants,
    /** Told of each refusal. Must not throw. */
    private readonly refused: (tenant: string, quota: QuotaName) => void = () => undefined,
  ) {
    this.#accounts = new Map(tenants.all.map((tenant) => [tenant, { tenant, models: 0, workers: 0 }]));
  }

  /** Takes the place of one version of a model. Throws BeyondQuota. */
  begin(name: string): Place {
    const account = this.#accountOf(this.tenants.ownerOf(name));
    const { tenant } = account;
    if (account.models >= (tenant.quotas.models ?? Number.POSITIVE_INFINITY)) throw this.#beyond(tenant, 'models', tenant.quotas.models);
    account.models += 1;
    return new Place(account, {
      beyondWorkers: () => this.#beyond(tenant, 'workers', tenant.quotas.workers),
      owns: (worker) => this.#owners.set(worker, [...(this.#owners.get(worker) ?? []), tenant]),
      disowns: (worker) => this.#disown(worker, tenant),
    });
  }

  served(tenant: Tenant): Served {
    const { models, workers } = this.#accountOf(tenant);
    return { models, workers };
  }

  /** Whose worker it is, by its name `W-9000-mnist_1.0`. undefined: nobody's, or the name fits models of several tenants. */
  ownerOfWorker(workerName: string): Tenant | undefined {
    const [, served = workerName] = /^W-\d+-(.*)$/s.exec(workerName) ?? [];
    const [first, ...others] = this.#owners.get(served) ?? [];
    return others.every((other) => other === first) ? first : undefined;
  }

  #disown(worker: string, tenant: Tenant): void {
    const left = [...(this.#owners.get(worker) ?? [])];
    left.splice(left.indexOf(tenant), 1);
    if (left.length === 0) this.#owners.delete(worker);
    else this.#owners.set(worker, left);
  }

  #accountOf(tenant: Tenant): Account {
    const account = this.#accounts.get(tenant);
    if (account === undefined) throw new TypeError(`the tenant ${tenant.name} has no account`);
    return account;
  }

  #beyond(tenant: Tenant, quota: QuotaName, limit = 0): Error {
    this.refused(tenant.name, quota);
    return BeyondQuota({ tenant: tenant.name, quota, limit, retryAfterS: ASK_AGAIN_S });
  }
}

interface PlaceHost {
  beyondWorkers(): Error;
  owns(worker: string): void;
  disowns(worker: string): void;
}

/**
 * One version of a model in its tenant's account. `held` workers are counted, `wanted` is where the last scaling leads.
 *
 *  event             held                        wanted
 *  scaling begins    the greater of both         what that scaling leads to
 *  the last one that runs ends    wanted         –
 *  end()             0: the place is free        –
 */
export class Place {
  #held = 0;
  #wanted = 0;
  #running = 0;
  #worker: string | undefined;
  #ended = false;

  constructor(
    private readonly account: Account,
    private readonly host: PlaceHost,
  ) {}

  get tenant(): Tenant {
    return this.account.tenant;
  }

  /** The name and version that its workers will have. */
  called(name: string, version: string): void {
    this.#worker = `${name}_${version}`;
    this.host.owns(this.#worker);
  }

  /** A scaling to between these counts begins; what it gives is to be called when it has ended. Throws BeyondQuota, and all stays as it was. */
  scaling(minimum: number, maximum: number): () => void {
    const wanted = Math.max(minimum, Math.min(this.#wanted, maximum));
    const more = Math.max(0, wanted - this.#held);
    const { tenant } = this.account;
    if (more > 0 && this.account.workers + more > (tenant.quotas.workers ?? Number.POSITIVE_INFINITY)) throw this.host.beyondWorkers();
    this.#wanted = wanted;
    this.#hold(this.#held + more);
    this.#running += 1;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#running -= 1;
      if (this.#running === 0 && !this.#ended) this.#hold(this.#wanted);
    };
  }

  /** Nothing stands on it any more. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#hold(0);
    this.account.models -= 1;
    if (this.#worker !== undefined) this.host.disowns(this.#worker);
  }

  #hold(workers: number): void {
    this.account.workers += workers - this.#held;
    this.#held = workers;
  }
}
