import { type Tenant, type Tenants, tenantNameOf } from '../inference/tenant.js';
import type { FairPlaces } from '../threads/fair-places.js';
import { DeviceAllocator } from './device-allocator.js';
import type { Placement } from './placement.js';
import { RestartTurns } from './restart-turns.js';

/** What the models of one tenant run on. */
export interface Resources {
  readonly devices: DeviceAllocator;
  readonly placement: Placement;
  readonly restarts: RestartTurns;
  /** The server's own threads, which all tenants share. */
  readonly places: FairPlaces;
}

export interface TenantResourcesOptions {
  readonly tenants: Tenants;
  readonly gpuCount: number;
  /** How the processors of a tenant are shared out among its workers. */
  readonly placementOf: (tenant: Tenant) => Placement;
  readonly places: FairPlaces;
  /** Workers of one tenant that load again at the same time. */
  readonly restartsAtOnce: number;
}

/** The devices, processors and turns of each tenant. Invariant: what a tenant has to itself is in nobody else's. */
export class TenantResources {
  readonly #of = new Map<string, Resources>();

  constructor({ tenants, gpuCount, placementOf, places, restartsAtOnce }: TenantResourcesOptions) {
    for (const tenant of tenants.all) {
      const devices = new DeviceAllocator(gpuCount, gpusOf(tenant, tenants.all, gpuCount));
      this.#of.set(tenant.name, { devices, placement: placementOf(tenant), restarts: new RestartTurns(restartsAtOnce), places });
    }
  }

  /** `tenant` of a model: without one it is the operator's own. */
  of(tenant: Tenant | undefined): Resources | undefined {
    return this.#of.get(tenantNameOf(tenant));
  }
}

/** The GPUs that a tenant's workers see; undefined: all there are, where no tenant has any to itself. */
export function gpusOf({ name, gpus }: Tenant, all: readonly Tenant[], gpuCount: number): readonly number[] | undefined {
  if (gpus !== undefined) return gpus.filter((id) => id < gpuCount);
  const taken = new Set(all.flatMap((tenant) => (tenant.name === name ? [] : (tenant.gpus ?? []))));
  return taken.size === 0 ? undefined : Array.from({ length: gpuCount }, (_, id) => id).filter((id) => !taken.has(id));
}
