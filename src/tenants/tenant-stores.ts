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

  /** `archive`: a name of its own, or that of a file or folder in the store, with or without what it lies in. */
  readonly fits = (name: string, archive: string): boolean => {
    const { name: owner } = this.tenants.ownerOf(name);
    if (owner === DEFAULT_TENANT || this.folders.has(owner)) return true;
    return archive.split('/').every((part) => [owner, DEFAULT_TENANT].includes(this.#ownerOfFile(part)));
  };

  /** Whose name is on a file, whatever endings follow it: the longest that is anybody's decides. */
  #ownerOfFile(file: string): string {
    for (let end = file.length; end > 0; end = file.lastIndexOf('.', end - 1)) {
      const { name: owner } = this.tenants.ownerOf(file.slice(0, end));
      if (owner !== DEFAULT_TENANT) return owner;
    }
    return DEFAULT_TENANT;
  }
}
