/** What a caller can be granted. `token-admin` renews TorchServe's keys. */
export const GRANTED_SCOPES = ['infer', 'manage', 'metrics', 'token-admin'] as const;
export type GrantedScope = (typeof GRANTED_SCOPES)[number];

/** A scope, and the models that it holds for. */
export interface Grant {
  readonly scope: GrantedScope;
  /** Patterns of names: `*` stands for any characters, `?` for one. */
  readonly models: readonly string[];
}

/** The tenant of whoever names none. */
export const DEFAULT_TENANT = 'default';
/** What a tenant or a token may be called. */
export const PRINCIPAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Nothing is served under a longer name; it bounds the time that matching takes. */
const MAX_NAME_CHARS = 1024;

/** What a tenant owns: its callers have nothing beyond. */
export interface Holdings {
  owns(name: string): boolean;
  /** As the operator wrote them. */
  readonly patterns: readonly string[];
}

/** Who asks, once that is proven. Immutable. What its grants don't reach, and what its tenant doesn't own, doesn't exist for it. */
export class Principal {
  readonly #patterns = new Map<GrantedScope, readonly string[] | 'every model'>();

  constructor(
    /** `key:inference`, `token:ci`, `jwt:alice`, `tls:CN=edge`; `anyone` where tokens are off. */
    readonly id: string,
    readonly tenant: string,
    private readonly grants: readonly Grant[],
    /** undefined: the operator's, or one of a server without tenants. */
    private readonly holdings?: Holdings,
  ) {
    for (const { scope, models } of grants) {
      const before = this.#patterns.get(scope) ?? [];
      this.#patterns.set(scope, before === 'every model' || models.includes('*') ? 'every model' : [...before, ...models]);
    }
  }

  /** The same caller with what its tenant owns only. The server's own keys are none of that. */
  within(holdings: Holdings): Principal {
    const grants = this.grants.filter(({ scope }) => scope !== 'token-admin');
    return new Principal(this.id, this.tenant, grants, holdings);
  }

  /** Whether it has what its tenant owns only: the machine and all others are none of its business. */
  get isConfined(): boolean {
    return this.holdings !== undefined;
  }

  /** Whether it has a scope at all, be it for some models only. */
  has(scope: GrantedScope): boolean {
    return this.#patterns.has(scope);
  }

  /** Whether it has a scope for every model there is or will be. */
  hasForAll(scope: GrantedScope): boolean {
    return this.holdings === undefined && this.#patterns.get(scope) === 'every model';
  }

  /** Whether a scope of its holds for a model or workflow of this name. */
  mayUse(scope: GrantedScope, name: string): boolean {
    const patterns = this.#patterns.get(scope);
    if (patterns === undefined || this.holdings?.owns(name) === false) return false;
    return patterns === 'every model' || (name.length <= MAX_NAME_CHARS && patterns.some((pattern) => matchesPattern(pattern, name)));
  }

  /** The patterns of a scope, for a message that tells what would be permitted. */
  patternsOf(scope: GrantedScope): readonly string[] {
    const patterns = this.#patterns.get(scope) ?? [];
    return patterns === 'every model' ? (this.holdings?.patterns ?? ['*']) : patterns;
  }
}

/** Stands in a request until the router knows better: nothing is permitted. */
export const NOBODY = new Principal('nobody', DEFAULT_TENANT, []);

/** Everyone, where tokens are off, and whoever runs a model without a server. */
export const ANYONE = new Principal(
  'anyone',
  DEFAULT_TENANT,
  GRANTED_SCOPES.map((scope) => ({ scope, models: ['*'] })),
);

/** Case counts. Takes at most pattern × name steps. */
export function matchesPattern(pattern: string, name: string): boolean {
  let [at, inName, lastStar, resumeAt] = [0, 0, -1, 0];
  while (inName < name.length) {
    const wanted = pattern[at];
    if (wanted === '*') {
      lastStar = at++;
      resumeAt = inName;
    } else if (wanted === '?' || (wanted !== undefined && wanted === name[inName])) {
      at++;
      inName++;
    } else if (lastStar >= 0) {
      at = lastStar + 1;
      inName = ++resumeAt;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}
