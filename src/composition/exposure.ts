import { readGrant } from '../admission/grants.js';
import type { Scope } from '../admission/scope.js';
import { readTokensFile, type StoredToken } from '../admission/tokens-file.js';
import type { ApiName } from '../api/route.js';
import type { Settings } from '../config/settings.js';
import { DEFAULT_TENANT, type Principal } from '../inference/principal.js';
import { type ApiParts, methodsOf, routesOf } from './apis.js';
import { grpcDoorsOf, httpDoorsOf } from './doors.js';
import { listedTenants } from './tenants.js';
import { tlsPrincipals, tokensFileOf } from './tokens.js';

/** One way into the server: what is called, where, and what the caller has to have. */
export interface Entrance {
  /** `http://127.0.0.1:8080`, `grpc://127.0.0.1:7070` */
  readonly listener: string;
  readonly api: ApiName;
  readonly tls: boolean;
  /** Who can reach the listener at all. */
  readonly reach: 'this machine' | 'the network';
  /** `POST`, `any`, `gRPC` */
  readonly method: string;
  /** The pattern of a path, or the full name of a method. */
  readonly route: string;
  /** Which API's scope it is, or `open`. */
  readonly scope: Scope;
}

/** Every way in, as the settings have it: the same tables that the listeners are given. */
export function entrances(settings: Settings, parts: ApiParts): readonly Entrance[] {
  const rest = httpDoorsOf(settings).flatMap(({ address, serves }) => {
    const reach = address.kind === 'unix' || isLoopback(address.host) ? ('this machine' as const) : ('the network' as const);
    const listener = address.kind === 'unix' ? `unix:${address.path}` : `${address.scheme}://${bracketed(address.host)}:${address.port}`;
    const routes = routesOf(serves, settings, parts);
    return routes.flatMap(({ connector: api, methods, pattern, scope }): Entrance[] =>
      (methods === 'any' ? ['any'] : methods).map((method) => ({ listener, api, tls: address.scheme === 'https', reach, method, route: pattern, scope })),
    );
  });
  const grpc = grpcDoorsOf(settings).flatMap(({ api: name, host, port }) => {
    const api = name === 'Inference' ? 'inference' : 'management';
    const reach = isLoopback(host) ? ('this machine' as const) : ('the network' as const);
    const listener = `grpc://${bracketed(host)}:${port}`;
    return methodsOf(name, settings, parts).map(
      ({ service, name: method, scope }): Entrance => ({
        listener,
        api,
        tls: settings.enableGrpcSsl,
        reach,
        method: 'gRPC',
        route: `/${service}/${method}`,
        scope,
      }),
    );
  });
  return [...rest, ...grpc];
}

const KEYS: Readonly<Record<Exclude<Scope, 'open'>, string>> = {
  infer: 'inference key',
  manage: 'management key',
  metrics: 'management key',
  'token-admin': 'API key',
};

/** Who may call what has a scope, in words. Throws TokensFileUnusable, ConfigInvalid. */
export function whoMay(settings: Settings, cwd: string): (scope: Scope) => string {
  if (settings.disableTokenAuthorization) return () => 'anybody';
  const now = new Date().toISOString();
  const named = readTokensFile(tokensFileOf(settings, cwd)).tokens.filter(({ expires }) => expires === undefined || expires > now);
  const certificates = [...tlsPrincipals(settings)];
  const tenants = listedTenants(settings, cwd)?.map(({ tenant }) => tenant.name);
  // Keys are renewed by the operator's own; whoever is of a tenant that isn't there does nothing at all.
  const isLetIn = (tenant: string, scope: Scope) =>
    tenants === undefined || (tenants.includes(tenant) && (scope !== 'token-admin' || tenant === DEFAULT_TENANT));
  return (scope) => {
    if (scope === 'open') return 'anybody';
    const tokens = named.filter((token) => isLetIn(token.tenant, scope) && grants(token, scope)).map(({ name }) => `token ${name}`);
    const holders = certificates
      .filter(([, principal]: readonly [string, Principal]) => isLetIn(principal.tenant, scope) && principal.has(scope))
      .map(([name]) => `certificate ${name}`);
    const issuer = settings.oidcIssuer ? [`JWT of ${settings.oidcIssuer} with sconce:${scope === 'token-admin' ? 'admin' : scope}`] : [];
    return [KEYS[scope], ...tokens, ...issuer, ...holders].join(', ');
  };
}

/** One line for each listener: how many ways in need what. */
export function inShort(all: readonly Entrance[]): readonly string[] {
  const listeners = [...new Set(all.map(({ listener }) => listener))];
  return listeners.map((name) => {
    const own = all.filter(({ listener }) => listener === name);
    const [first] = own;
    const counts = [...new Set(own.map(({ scope }) => scope))]
      .filter((scope) => scope !== 'open')
      .map((scope) => `${own.filter((one) => one.scope === scope).length} need ${scope}`);
    const open = [
      ...new Set(
        own.filter(({ scope }) => scope === 'open').map(({ method, route }) => (method === 'any' || method === 'gRPC' ? route : `${method} ${route}`)),
      ),
    ];
    return `${name} (${first?.tls ? 'TLS' : 'no TLS'}, reached from ${first?.reach}): ${[...counts, `open ${open.join(' ')}`].join(', ')}`;
  });
}

function grants({ scopes }: StoredToken, scope: Scope): boolean {
  return scopes.some((text) => readGrant(text)?.some((grant) => grant.scope === scope));
}

function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host);
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
