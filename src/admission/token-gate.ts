import { TokenRefused, TokenRotationRefused, TooManyGuesses } from '../errors/admission.js';
import type { SconceError } from '../errors/sconce-error.js';
import { ANYONE, type GrantedScope, type Principal } from '../inference/principal.js';
import { bearerToken, digestOf } from './bearer-token.js';
import type { Credentials } from './caller.js';
import { type GuessLimits, GuessThrottle } from './guess-throttle.js';
import { findToken, type KnownToken } from './known-token.js';
import { ServerKeys } from './server-keys.js';
import { type KnownTokens, ShownTokens } from './shown-tokens.js';

/** Why a call was refused. `missing`: it showed no token; `unverified`: the issuer's keys could not be had; `scope`: the token is good for other things; `tenant`: of a tenant that the operator doesn't name. */
export type TokenFault = 'missing' | 'wrong' | 'expired' | 'unverified' | 'scope' | 'tenant';

/** Tokens that somebody else issues and that have to be verified rather than known. */
export interface IssuedTokens {
  /** Whether it could be one of them. */
  looksLike(token: string): boolean;
  /** At once for one that was verified a short while ago. Never rejects. */
  principalOf(token: string): Principal | TokenFault | Promise<Principal | TokenFault>;
}

/** One refused call. */
export interface TokenRefusal {
  readonly fault: TokenFault | 'throttled';
  readonly error: SconceError;
  readonly scope: GrantedScope;
  readonly id: string;
  readonly peer: string;
  /** Whose token it was, where it was a good one. */
  readonly principal: Principal | undefined;
}

export interface TokenGateOptions {
  readonly disabled: boolean;
  /** Life of the inference and management keys. The API key never expires. */
  readonly expirationMinutes: number;
  readonly keyFile: string;
  /** Keys of TorchServe's 8 characters. */
  readonly shortKeys?: boolean;
  /** Named tokens as they are now. */
  readonly named?: () => readonly KnownToken[];
  readonly issued?: IssuedTokens | undefined;
  /** Who the holder of a client certificate is, by the certificate's name. */
  readonly tlsPrincipals?: ReadonlyMap<string, Principal>;
  /** A principal as far as its tenant lets it; undefined: there is no such tenant. All may do what their grants say unless given. */
  readonly confined?: ((principal: Principal) => Principal | undefined) | undefined;
  /** HTTP's own statuses, 401 and 403, in place of TorchServe's 400. */
  readonly httpStatuses?: boolean;
  readonly guesses?: GuessLimits;
  /** Told of each refusal, before its caller. Must not throw. */
  readonly refused?: (refusal: TokenRefusal) => void;
  /** Epoch ms. */
  readonly now?: () => number;
}

const NO_TOKENS: readonly KnownToken[] = [];

/**
 * Who may come in: holders of TorchServe's three keys, of named tokens, of JWTs of the issuer that the operator trusts, and of client certificates that are
 * mapped to scopes. A token that is shown decides; a certificate counts only where none is.
 */
export class TokenGate {
  readonly #keys: ServerKeys;
  readonly #throttle: GuessThrottle;
  readonly #shown = new ShownTokens();
  readonly #now: () => number;

  constructor(private readonly options: TokenGateOptions) {
    const { expirationMinutes, keyFile, shortKeys = false, guesses = { perSource: 0, inAll: 0 } } = options;
    this.#now = options.now ?? Date.now;
    this.#keys = new ServerKeys({ expirationMinutes, keyFile, short: shortKeys, now: this.#now });
    this.#throttle = new GuessThrottle(guesses, this.#now);
  }

  get disabled(): boolean {
    return this.options.disabled;
  }

  get keyFile(): string {
    return this.options.keyFile;
  }

  /** For the line that the start prints; nobody else needs it. */
  get inferenceKey(): string {
    return this.#keys.inferenceKey;
  }

  /** Writes the key file, unless tokens are off. Throws KeyFileNotWritten. */
  start(): void {
    if (!this.options.disabled) this.#keys.write();
  }

  /**
   * Who the caller is, if one of `scopes` is granted to it for any model. Throws or rejects with TokenRefused, with TokenRotationRefused where the keys are
   * to be renewed, and with TooManyGuesses. Waits only for a JWT that is seen for the first time.
   */
  authorize(scopes: readonly [GrantedScope, ...GrantedScope[]], credentials: Credentials): Principal | Promise<Principal> {
    if (this.options.disabled) return ANYONE;
    const found = this.#identify(credentials);
    return found instanceof Promise ? found.then((known) => this.#granted(known, scopes, credentials)) : this.#granted(found, scopes, credentials);
  }

  /** Gives `management` or `inference` a new key and writes the file; the old one is refused from now on. Throws TokenRotationRefused, KeyFileNotWritten. */
  rotate(type: string | undefined): void {
    this.#keys.rotate(type);
  }

  #identify(credentials: Credentials): Principal | TokenFault | Promise<Principal | TokenFault> {
    const { authorization, tlsPrincipal } = credentials;
    const { named, issued, tlsPrincipals } = this.options;
    const tokens: KnownTokens = [this.#keys.known, named?.() ?? NO_TOKENS];
    const again = this.#shown.again(credentials, tokens);
    if (again !== undefined) return this.#unexpired(again);
    const shown = bearerToken(authorization);
    if (shown === 'missing') return (tlsPrincipal === undefined ? undefined : tlsPrincipals?.get(tlsPrincipal)) ?? 'missing';
    if (shown === 'wrong') return 'wrong';
    const known = findToken(tokens, digestOf(shown.token));
    if (known !== undefined) {
      this.#shown.remember(credentials, tokens, known);
      return this.#unexpired(known);
    }
    return issued?.looksLike(shown.token) ? issued.principalOf(shown.token) : 'wrong';
  }

  #unexpired({ principal, expiresAtMs }: KnownToken): Principal | TokenFault {
    return expiresAtMs === undefined || this.#now() < expiresAtMs ? principal : 'expired';
  }

  #granted(found: Principal | TokenFault, scopes: readonly [GrantedScope, ...GrantedScope[]], { id, peer }: Credentials): Principal {
    const known = typeof found === 'string' ? undefined : found;
    const { confined } = this.options;
    const principal = known === undefined || confined === undefined ? known : confined(known);
    if (principal !== undefined && scopes.some((scope) => principal.has(scope))) return principal;
    const fault = typeof found === 'string' ? found : principal === undefined ? 'tenant' : 'scope';
    const [scope] = scopes;
    const waitS = fault === 'wrong' ? this.#throttle.failed(peer) : undefined;
    const error = waitS === undefined ? this.#refusal(fault, scope) : TooManyGuesses({ waitS });
    this.options.refused?.({ fault: waitS === undefined ? fault : 'throttled', error, scope, id, peer, principal: known });
    throw error;
  }

  #refusal(fault: TokenFault, scope: GrantedScope): SconceError {
    const status = this.options.httpStatuses ? (fault === 'scope' || fault === 'tenant' ? 403 : 401) : 400;
    return scope === 'token-admin' ? TokenRotationRefused({ status }) : TokenRefused({ status });
  }
}
