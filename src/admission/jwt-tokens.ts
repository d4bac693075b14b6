import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose';
import { DEFAULT_TENANT, PRINCIPAL_NAME, Principal } from '../inference/principal.js';
import type { Log } from '../observability/observer.js';
import { digestOf } from './bearer-token.js';
import { readGrant } from './grants.js';
import { IssuerKeys, type IssuerSource, IssuerUnreachable } from './issuer-keys.js';
import type { IssuedTokens, TokenFault } from './token-gate.js';

export interface JwtOptions extends IssuerSource {
  /** One of a token's `aud` has to be this. */
  readonly audience: string;
  /** Where a token holds its scopes: a name, or names with dots between them. */
  readonly scopeClaim: string;
  /** Where it holds its tenant; undefined: all are of the default one. */
  readonly tenantClaim: string | undefined;
  readonly log: Log;
  /** Epoch ms. */
  readonly now?: () => number;
}

/** Signatures by keys that only the issuer has: no `none`, and no HMAC, whose key would be public. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
/** Headers by which a token would bring its own key. */
const OWN_KEYS = ['jku', 'jwk', 'x5u', 'x5c'];
const SCOPE_PREFIX = 'sconce:';
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]+$/;
const MAX_SUBJECT_CHARS = 256;
const MAX_SCOPES = 100;
const CLOCK_TOLERANCE_S = 5;
/** A token that was verified is known for so long; then the issuer's keys are asked again. */
const KNOWN_MS = 60_000;
const MAX_KNOWN = 10_000;

interface Verified {
  readonly principal: Principal;
  /** Epoch ms. */
  readonly expiresAtMs: number;
  readonly knownUntilMs: number;
}

/** JWTs of one OIDC issuer. `sub` names the caller; the scopes are those that begin with `sconce:`, such as `sconce:infer:resnet-*`. */
export class JwtTokens implements IssuedTokens {
  readonly #keys: IssuerKeys;
  readonly #known = new Map<string, Verified>();
  readonly #now: () => number;
  #toldUnreachable = '';

  constructor(private readonly options: JwtOptions) {
    this.#keys = new IssuerKeys(options);
    this.#now = options.now ?? Date.now;
  }

  looksLike(token: string): boolean {
    return SHAPE.test(token);
  }

  principalOf(token: string): Principal | TokenFault | Promise<Principal | TokenFault> {
    const key = digestOf(token).toString('base64');
    const known = this.#known.get(key);
    if (known !== undefined && this.#now() < known.knownUntilMs) return this.#now() < known.expiresAtMs ? known.principal : 'expired';
    return bringsOwnKey(token) ? 'wrong' : this.#verified(token, key);
  }

  async #verified(token: string, key: string): Promise<Principal | TokenFault> {
    const { issuer, audience, log } = this.options;
    try {
      const { payload } = await jwtVerify(token, this.#keys.get, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['sub', 'exp'],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: new Date(this.#now()),
      });
      const principal = this.#principalIn(payload);
      if (principal === undefined) return 'wrong';
      this.#remember(key, { principal, expiresAtMs: ((payload.exp ?? 0) + CLOCK_TOLERANCE_S) * 1000, knownUntilMs: this.#now() + KNOWN_MS });
      this.#toldUnreachable = '';
      return principal;
    } catch (error) {
      if (error instanceof errors.JWTExpired) return 'expired';
      if (!(error instanceof IssuerUnreachable)) return 'wrong';
      if (error.cause !== undefined && this.#toldUnreachable !== error.message) {
        log.warn(`The keys of the issuer ${issuer} cannot be had, so its tokens are refused: ${error.message}`);
        this.#toldUnreachable = error.message;
      }
      return 'unverified';
    }
  }

  #remember(key: string, verified: Verified): void {
    this.#known.delete(key);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size < MAX_KNOWN) break;
      this.#known.delete(oldest);
    }
    this.#known.set(key, verified);
  }

  /** undefined where it names no caller, or no tenant though it should. One without scopes is known, and may do nothing. */
  #principalIn(payload: JWTPayload): Principal | undefined {
    const { scopeClaim, tenantClaim } = this.options;
    const { sub = '' } = payload;
    const tenant = tenantClaim === undefined ? DEFAULT_TENANT : claimAt(payload, tenantClaim);
    if (sub === '' || sub.length > MAX_SUBJECT_CHARS || typeof tenant !== 'string' || !PRINCIPAL_NAME.test(tenant)) return undefined;
    const grants = scopesOf(claimAt(payload, scopeClaim)).flatMap((text) => readGrant(text) ?? []);
    return new Principal(`jwt:${sub}`, tenant, grants);
  }
}

function bringsOwnKey(token: string): boolean {
  try {
    const header = decodeProtectedHeader(token);
    return OWN_KEYS.some((name) => name in header);
  } catch {
    return true;
  }
}

/** Claims in claims, as `realm_access.roles`. */
function claimAt(payload: JWTPayload, path: string): unknown {
  if (Object.hasOwn(payload, path)) return payload[path];
  let value: unknown = payload;
  for (const name of path.split('.')) value = typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
  return value;
}

/** Scopes for this server, without their prefix: a list, or words with blanks between them. */
function scopesOf(claim: unknown): readonly string[] {
  const all: readonly unknown[] = typeof claim === 'string' ? claim.split(' ') : Array.isArray(claim) ? claim : [];
  return all.slice(0, MAX_SCOPES).flatMap((text) => (typeof text === 'string' && text.startsWith(SCOPE_PREFIX) ? [text.slice(SCOPE_PREFIX.length)] : []));
}
