import { Invariant, MethodNotAllowed, ResourceNotFound } from '../errors/admission.js';
import { SconceError } from '../errors/sconce-error.js';
import { GRANTED_SCOPES, type GrantedScope, type Principal } from '../inference/principal.js';
import type { Log } from '../observability/observer.js';
import type { HttpHandler, HttpReply, HttpRequest } from './http-exchange.js';
import { PathPattern } from './path-pattern.js';
import type { ApiName, Route } from './route.js';

export interface RouterOptions {
  /** The APIs this listener serves: one, or several where addresses are shared. Routes of others don't exist here. */
  readonly serves: readonly ApiName[];
  /** Who asks, if one of the scopes is theirs. Throws or rejects with why not. Never called for `open`. */
  readonly authorize: Authorize;
  readonly log: Log;
}

type Authorize = (scopes: readonly [GrantedScope, ...GrantedScope[]], request: HttpRequest) => Principal | Promise<Principal>;

interface Entry {
  readonly route: Route;
  readonly pattern: PathPattern;
}

const SCOPE_OF_UNKNOWN_PATHS: Readonly<Record<ApiName, Route['scope']>> = { inference: 'infer', management: 'manage', metrics: 'open' };

/**
 * Finds the route of each request, checks its scope and runs it. The path is matched first, so that shared addresses need only the token of the API
 * that the path belongs to. A path nobody knows still needs a token of one of the served APIs before it is told 404.
 */
export function createRouter(routes: readonly Route[], options: RouterOptions): HttpHandler {
  const { authorize, log } = options;
  assertScoped(routes);
  const table = new RouteTable(routes.filter((route) => options.serves.includes(route.connector)));
  const [first, ...others] = options.serves.map((name) => SCOPE_OF_UNKNOWN_PATHS[name]).filter((scope) => scope !== 'open');

  function route(request: HttpRequest, reply: HttpReply): void | Promise<void> {
    const { segments } = request;
    const entry = table.find(segments, request.method);
    if (entry !== undefined) return guarded(entry.route.scope, request, () => entry.route.handle(request, reply, entry.pattern.params(segments)));
    const otherMethod = table.find(segments, undefined);
    if (otherMethod !== undefined) {
      return guarded(otherMethod.route.scope, request, () => {
        throw MethodNotAllowed({});
      });
    }
    const unknown = (): never => {
      throw ResourceNotFound({});
    };
    return first === undefined ? unknown() : authorized([first, ...others], request, unknown);
  }

  function guarded(scope: Route['scope'], request: HttpRequest, then: () => void | Promise<void>): void | Promise<void> {
    return scope === 'open' ? then() : authorized([scope], request, then);
  }

  /** Waits only where the caller's token has to be verified first. */
  function authorized(scopes: readonly [GrantedScope, ...GrantedScope[]], request: HttpRequest, then: () => void | Promise<void>): void | Promise<void> {
    const found = authorize(scopes, request);
    const admit = (principal: Principal): void | Promise<void> => {
      request.principal = principal;
      return then();
    };
    return found instanceof Promise ? found.then(admit) : admit(found);
  }

  function failed(error: unknown, request: HttpRequest, reply: HttpReply): void {
    const isOurs = error instanceof SconceError;
    if (!isOurs || Invariant.is(error)) log.error(`${request.method} request ${request.id} met an internal error`, error);
    if (reply.begun) reply.abort();
    else reply.fail(isOurs ? error : Invariant({ what: 'unexpected error' }, error));
  }

  return (request, reply) => {
    try {
      const pending = route(request, reply);
      if (pending instanceof Promise) pending.catch((error: unknown) => failed(error, request, reply));
    } catch (error) {
      failed(error, request, reply);
    }
  };
}

/** Routes by their first segment; those that begin with a name or `*` fit any. Within a bucket the more specific pattern stands first. */
class RouteTable {
  readonly #byFirst = new Map<string, Entry[]>();
  readonly #anyFirst: readonly Entry[];

  constructor(routes: readonly Route[]) {
    const entries = routes.map((route) => ({ route, pattern: new PathPattern(route.pattern) }));
    entries.sort((a, b) => a.pattern.compareSpecificity(b.pattern));
    this.#anyFirst = entries.filter(({ pattern }) => pattern.firstLiteral === undefined);
    for (const entry of entries) {
      const first = entry.pattern.firstLiteral;
      if (first === undefined) continue;
      const bucket = this.#byFirst.get(first);
      if (bucket === undefined) this.#byFirst.set(first, [entry]);
      else bucket.push(entry);
    }
  }

  /** `method` undefined: whatever the method. */
  find(segments: readonly string[], method: string | undefined): Entry | undefined {
    const bucket = this.#byFirst.get(segments[0] ?? '');
    return (bucket && findIn(bucket, segments, method)) ?? findIn(this.#anyFirst, segments, method);
  }
}

function findIn(entries: readonly Entry[], segments: readonly string[], method: string | undefined): Entry | undefined {
  for (const entry of entries) {
    const { route, pattern } = entry;
    if (!pattern.matches(segments)) continue;
    if (method !== undefined && route.methods !== 'any' && !route.methods.includes(method)) continue;
    if (route.fits !== undefined && !route.fits(segments)) continue;
    return entry;
  }
  return undefined;
}

/** The types see to it already; this is for a route that was put together around them. Throws Invariant. */
function assertScoped(routes: readonly Route[]): void {
  for (const { scope, pattern } of routes) if (!isScope(scope)) throw Invariant({ what: `the route ${pattern} has no scope` });
}

/** Whether it is one of the words that a route, or a method, can be guarded by. */
export function isScope(scope: string | undefined): boolean {
  return scope === 'open' || GRANTED_SCOPES.some((known) => known === scope);
}
