import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import type { Audit } from '../admission/audit.js';
import { GRANT_FORM, readGrant } from '../admission/grants.js';
import { isTrustworthyUrl } from '../admission/issuer-keys.js';
import { JwtTokens } from '../admission/jwt-tokens.js';
import { NamedTokens } from '../admission/named-tokens.js';
import { RefusalAudit } from '../admission/refusal-audit.js';
import { TokenGate, type TokenGateOptions } from '../admission/token-gate.js';
import type { Settings } from '../config/settings.js';
import { ConfigInvalid } from '../errors/config.js';
import { DEFAULT_TENANT, PRINCIPAL_NAME, Principal } from '../inference/principal.js';
import type { Log, Observer } from '../observability/observer.js';
import type { Protection } from '../observability/protections.js';

/** Of all sources together, in a minute. */
const GUESSES_IN_ALL = 100;

export interface TokensParts {
  readonly cwd: string;
  readonly keyFile: string;
  readonly log: Log;
  readonly observer: Pick<Observer, 'tokenRefused'>;
  readonly audit: Audit | undefined;
  /** A principal as far as its tenant lets it; undefined: there are no tenants. */
  readonly confined: TokenGateOptions['confined'];
}

export interface Tokens {
  readonly gate: TokenGate;
  /** Whether they hold, one line each. */
  readonly protections: readonly Protection[];
  /** Writes what is still counted to the audit. */
  stop(): void;
}

/** Where the named tokens are. */
export function tokensFileOf(settings: Settings, cwd: string): string {
  return resolve(cwd, settings.tokensFile);
}

/** All that lets callers in. Throws ConfigInvalid and TokensFileUnusable. */
export function createTokens(settings: Settings, { cwd, keyFile, log, observer, audit, confined }: TokensParts): Tokens {
  const refusals = audit === undefined ? undefined : new RefusalAudit(audit);
  const named = new NamedTokens({
    file: tokensFileOf(settings, cwd),
    log,
    changed: (changes) => {
      for (const { name, change } of changes)
        audit?.({ who: 'tokens file', tenant: '', from: '', request: '', verb: `token-${change}`, subject: name, result: 'done' });
    },
  });
  const disabled = settings.disableTokenAuthorization;
  if (!disabled) named.start();
  const gate = new TokenGate({
    disabled,
    expirationMinutes: settings.tokenExpirationMin,
    keyFile,
    shortKeys: settings.compatKeys,
    named: named.current,
    issued: jwtTokens(settings, log),
    tlsPrincipals: tlsPrincipals(settings),
    confined,
    httpStatuses: settings.authStatus === '401',
    guesses: { perSource: settings.tokenGuesses, inAll: settings.tokenGuesses * GUESSES_IN_ALL },
    refused: (refusal) => {
      observer.tokenRefused(refusal.fault);
      refusals?.refused(refusal);
    },
  });
  return { gate, protections: protectionsOf(settings, named, keyFile), stop: () => refusals?.flush() };
}

function protectionsOf(settings: Settings, named: NamedTokens, keyFile: string): Protection[] {
  if (settings.disableTokenAuthorization)
    return [{ name: 'tokens', holds: false, says: 'every API answers everybody who can connect; unset disable_token_authorization' }];
  const also = [
    named.count === 0 ? '' : `${named.count} named tokens`,
    settings.oidcIssuer === undefined ? '' : `JWTs of ${settings.oidcIssuer}`,
    settings.tlsPrincipals === undefined ? '' : 'client certificates',
  ].filter((text) => text !== '');
  const protections: Protection[] = [
    settings.compatKeys
      ? { name: 'tokens', holds: false, says: 'the keys have 48 bits, which can be guessed in time; unset sconce_compat_keys' }
      : { name: 'tokens', holds: true, says: `every API asks for a key${also.length === 0 ? '' : `; so do ${also.join(', ')} open it`}` },
  ];
  if (named.isReadableByOthers)
    protections.push({ name: 'tokens file', holds: false, says: `others can read which tokens there are; chmod 600 ${settings.tokensFile}` });
  const folder = dirname(keyFile);
  if (isAnybodys(folder)) protections.push({ name: 'key file', holds: false, says: `anybody can put another in its place; chmod o-w ${folder}` });
  return protections;
}

/** Whether every user of the machine may remove and add files there. */
function isAnybodys(folder: string): boolean {
  const mode = statSync(folder, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & 0o002) !== 0 && (mode & 0o1000) === 0;
}

function jwtTokens(settings: Settings, log: Log): JwtTokens | undefined {
  const { oidcIssuer: issuer, oidcAudience: audience, oidcJwksUrl: jwksUrl, oidcScopeClaim: scopeClaim, oidcTenantClaim: tenantClaim } = settings;
  if (issuer === undefined || issuer === '') return undefined;
  if (audience === undefined || audience === '')
    throw ConfigInvalid({ message: 'sconce_oidc_issuer needs sconce_oidc_audience: tokens that the issuer made for others would open this server too' });
  for (const [key, url] of [['sconce_oidc_issuer', issuer] as const, ['sconce_oidc_jwks_url', jwksUrl] as const])
    if (url !== undefined && !isTrustworthyUrl(url)) throw ConfigInvalid({ message: `${key}=${url}; allowed: an https URL, or http on loopback` });
  return new JwtTokens({ issuer, audience, jwksUrl, scopeClaim, tenantClaim, log });
}

const principalsShape = z.record(
  z.string().min(1),
  z.strictObject({
    scopes: z.array(z.string()).min(1),
    tenant: z.string().regex(PRINCIPAL_NAME).default(DEFAULT_TENANT),
  }),
);

/** Throws ConfigInvalid. */
export function tlsPrincipals({ tlsPrincipals: text }: Pick<Settings, 'tlsPrincipals'>): ReadonlyMap<string, Principal> {
  if (text === undefined || text.trim() === '') return new Map();
  const invalid = (why: string, cause?: unknown) => ConfigInvalid({ message: `sconce_tls_principals: ${why}` }, cause);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw invalid('it is no JSON', error);
  }
  const read = principalsShape.safeParse(json);
  if (!read.success) throw invalid(`${read.error.issues[0]?.path.join('.')}: ${read.error.issues[0]?.message}`);
  return new Map(
    Object.entries(read.data).map(([name, { scopes, tenant }]): [string, Principal] => {
      const grants = scopes.flatMap((scope) => {
        const found = readGrant(scope);
        if (found === undefined) throw invalid(`${name}: ${scope} is no scope; allowed: ${GRANT_FORM}`);
        return found;
      });
      return [name, new Principal(`tls:${name}`, tenant, grants)];
    }),
  );
}
