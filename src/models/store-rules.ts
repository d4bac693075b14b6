/** Whose archives are whose, where several tenants bring models. */
export interface StoreRules {
  /** The folder that the archives of a model or workflow of this name lie in; undefined: the server's store. `name` is undefined where a registration gives none. */
  storeOf(name: string | undefined): string | undefined;
  /** Whether what calls itself `archive` may be served as `name`. */
  fits(name: string, archive: string): boolean;
}

/** One store, and nobody to keep apart. */
export const ONE_STORE: StoreRules = { storeOf: () => undefined, fits: () => true };
