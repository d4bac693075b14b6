import { DEFAULT_TENANT } from './principal.js';

/** What a tenant may use at most; undefined: no limit. What is beyond it is refused with 429. */
export interface TenantQuotas {
  /** Registered versions of models. */
  readonly models: number | undefined;
  readonly workers: number | undefined;
  readonly requestsPerS: number | undefined;
  /** Requests that wait or run. */
  readonly concurrent: number | undefined;
  /** Bytes of the bodies of those. */
  readonly bytesInFlight: number | undefined;
}

/** Whoever has models of its own on the server, and what the operator gives it. */
export interface Tenant {
  readonly name: string;
  /** Its part under overload, beside the weights of the others; 1 unless the operator says otherwise. */
  readonly weight: number;
  readonly quotas: TenantQuotas;
  /** What its workers may hold together, bytes. */
  readonly memoryBytes: number | undefined;
  /** Processors that nobody else's workers run on, all hardware threads of each core; 0: it shares those of the others. */
  readonly ownCores: number;
  /** GPU ids that its workers see; undefined: those that no other tenant has. */
  readonly gpus: readonly number[] | undefined;
}

/** Who owns which model. Names decide: a model or workflow belongs to the tenant whose pattern its name matches, else to the operator's own, `default`. */
export interface Tenants {
  ownerOf(name: string): Tenant;
  /** undefined: no tenant has this name. */
  named(name: string): Tenant | undefined;
  readonly all: readonly Tenant[];
}

/** Of whose a model is: without one it is the operator's own. */
export function tenantNameOf(tenant: Tenant | undefined): string {
  return tenant?.name ?? DEFAULT_TENANT;
}
