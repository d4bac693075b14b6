import { DEFAULT_TENANT, type Holdings, matchesPattern, type Principal } from '../inference/principal.js';
import type { Tenant, Tenants } from '../inference/tenant.js';
import { type ListedTenant, withNodes } from './parse-tenants.js';

/** Nothing is served under a longer name; it bounds the time that matching takes. */
const MAX_NAME_CHARS = 255;
/** Names whose owner is remembered. */
const MAX_KNOWN = 10_000;

/** The tenants that the operator names, and what each owns. Immutable but for what it remembers. */
export class NamedTenants implements Tenants {
  readonly all: readonly Tenant[];
  readonly #own: Tenant;
  readonly #byName: ReadonlyMap<string, Tenant>;
  readonly #owners: readonly { readonly tenant: Tenant; readonly patterns: readonly string[] }[];
  readonly #holdings: ReadonlyMap<string, Holdings>;
  readonly #known = new Map<string, Tenant>();
  readonly #confined = new WeakMap<Principal, Principal>();

  /** `listed` has the operator's own. */
  constructor(listed: readonly ListedTenant[]) {
    this.all = listed.map(({ tenant }) => tenant);
    this.#byName = new Map(this.all.map((tenant) => [tenant.name, tenant]));
    const own = this.#byName.get(DEFAULT_TENANT);
    if (own === undefined) throw new TypeError('the operator has a tenant too');
    this.#own = own;
    this.#owners = listed.map(({ tenant, patterns }) => ({ tenant, patterns: withNodes(patterns) }));
    this.#holdings = new Map(
      listed.map(({ tenant, patterns }) => [tenant.name, { patterns, owns: (name) => name.length <= MAX_NAME_CHARS && this.ownerOf(name) === tenant }]),
    );
  }

  ownerOf(name: string): Tenant {
    if (name.length > MAX_NAME_CHARS) return this.#own;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const owner = this.#owners.find(({ patterns }) => patterns.some((pattern) => matchesPattern(pattern, name)))?.tenant ?? this.#own;
    // Callers choose the names: what they could fill memory with goes.
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(name, owner);
    return owner;
  }

  named(name: string): Tenant | undefined {
    return this.#byName.get(name);
  }

  /** Whether a model may have another do something for it: one of its own tenant, or of the operator's. */
  mayUse(model: string, other: string): boolean {
    const owner = this.ownerOf(other);
    return owner === this.#own || owner === this.ownerOf(model);
  }

  /** The caller as far as its tenant lets it: the operator's as it is, another's with what that tenant owns only. undefined: there is no such tenant. */
  readonly confined = (principal: Principal): Principal | undefined => {
    if (principal.tenant === DEFAULT_TENANT) return principal;
    let confined = this.#confined.get(principal);
    if (confined !== undefined) return confined;
    const holdings = this.#holdings.get(principal.tenant);
    if (holdings === undefined) return undefined;
    confined = principal.within(holdings);
    this.#confined.set(principal, confined);
    return confined;
  };
}
