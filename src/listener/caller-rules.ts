import type { SconceError } from '../errors/sconce-error.js';
import { HostMalformed, HostRefused, OriginRefused } from '../errors/security.js';
import { answersTo, type HostRules, hostOf } from './host-rules.js';

/** Which requests a listener takes, by what browsers tell of their pages. Clients that are no browsers send none of it, and are not asked for it. */
export interface CallerRules {
  readonly hosts: HostRules;
  /** Origins of web pages that may call; `*` stands for all. */
  readonly origins: readonly string[];
  /** Requests that change the server: a page of just any origin must at least have had to ask first, by a preflight. */
  readonly guardsChanges: boolean;
  /** What any page may fetch: it is the same for everybody. */
  readonly publicPaths: readonly string[];
  readonly secure: boolean;
}

/** What the rules look at. */
export interface CallerFacts {
  readonly method: string;
  /** Path, or full name of a method. */
  readonly path: string;
  /** Every `Host`, or the `:authority`. */
  readonly hosts: readonly string[];
  /** Authority of a target in absolute form. */
  readonly targetAuthority?: string | undefined;
  readonly origins: readonly string[];
  readonly fetchSite: string | undefined;
  readonly contentType: string | undefined;
  /** HTTP/1.0 knows no Host. */
  readonly mayLackHost?: boolean;
  /** Address that the connection came in on; undefined for a Unix socket, which no web page can reach. */
  readonly localAddress: string | undefined;
}

/** Content types that a page of another origin can send without asking, as can a request without one (Fetch, "CORS-safelisted request-header"). */
const SENT_UNASKED = new Set(['', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']);

/** Why a request is not taken, or undefined: HostMalformed, HostRefused or OriginRefused. */
export function refusalOfCaller(facts: CallerFacts, rules: CallerRules): SconceError | undefined {
  return refusalOfHost(facts, rules.hosts) ?? refusalOfOrigin(facts, rules);
}

function refusalOfHost({ hosts, targetAuthority, mayLackHost, localAddress }: CallerFacts, rules: HostRules): SconceError | undefined {
  const [text, another] = hosts;
  if (another !== undefined) return HostMalformed({});
  // Clients of Unix sockets write what they like: there is no name that could lead astray.
  if (localAddress === undefined) return undefined;
  if (text === undefined) return mayLackHost && targetAuthority === undefined ? undefined : HostMalformed({});
  const host = hostOf(text);
  if (host === undefined || (targetAuthority !== undefined && targetAuthority.toLowerCase() !== text.toLowerCase())) return HostMalformed({});
  return answersTo(host, localAddress, rules) ? undefined : HostRefused({ key: 'sconce_host_names' });
}

function refusalOfOrigin(facts: CallerFacts, rules: CallerRules): SconceError | undefined {
  const { method, path, origins, fetchSite, contentType } = facts;
  const [origin] = origins;
  if (origin === undefined && fetchSite !== 'cross-site') return undefined;
  if (method === 'OPTIONS' || ((method === 'GET' || method === 'HEAD') && rules.publicPaths.includes(path))) return undefined;
  if (origins.length === 1 && origin !== undefined && (rules.origins.includes(origin) || isOwn(origin, facts, rules))) return undefined;
  if (!rules.origins.includes('*')) return OriginRefused({});
  const isSimple = SENT_UNASKED.has(mediaType(contentType));
  return rules.guardsChanges && method !== 'GET' && method !== 'HEAD' && isSimple ? OriginRefused({}) : undefined;
}

/** A page of this very server. What a proxy has taken the TLS from comes in without. */
function isOwn(origin: string, { hosts }: CallerFacts, { secure }: CallerRules): boolean {
  const host = hosts[0]?.toLowerCase();
  return host !== undefined && (origin === `https://${host}` || (!secure && origin === `http://${host}`));
}

function mediaType(contentType: string | undefined): string {
  return contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
}
