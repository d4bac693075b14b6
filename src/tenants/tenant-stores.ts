import { DEFAULT_TENANT } from '../inference/principal.js';
import type { Tenants } from '../inference/tenant.js';

/**
 * Which archives a tenant's models can be made of. One with a store of its own has the archives there and no other; one that shares the operator's
 * has all there but what is another tenant's by its name.
 */
export class TenantStores {
  constructor(
    private readonly tenants: Pick<Tenants, 'ownerOf'>,
    /** By tenant; absolute. */
    private readonly folders: ReadonlyMap<string, string>,
  ) {}

  readonly storeOf = (name: string | undefined): string | undefined => (name ? this.folders.get(this.tenants.ownerOf(name).name) : undefined);

  readonly fits = (name: string, archive: string): boolean => {
    const { name: owner } = this.tenants.ownerOf(name);
    if (owner === DEFAULT_TENANT || this.folders.has(owner)) return true;
    const { name: other } = this.tenants.ownerOf(archive);
    return other === owner || other === DEFAULT_TENANT;
  };
}
