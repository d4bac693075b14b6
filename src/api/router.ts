import type { Scope } from '../admission/scope.js';
import { Invariant, MethodNotAllowed, ResourceNotFound } from '../errors/admission.js';
import { SconceError } from '../errors/sconce-error.js';
import type { Log } from '../observability/observer.js';
import type { HttpHandler, HttpReply, HttpRequest } from './http-exchange.js';
import { PathPattern } from './path-pattern.js';
import type { ApiName, Route } from './route.js';

export interface RouterOptions {
  /** The APIs this listener serves: one, or several where addresses are shared. Routes of others don't exist here. */
  readonly serves: readonly ApiName[];
  /** Throws TokenRefused when the request may not do what `scope` stands for. Never called for `open`. */
  readonly authorize: (scope: Scope, request: HttpRequest) => void;
  readonly log: Log;
}

interface Entry {
  readonly route: Route;
  readonly pattern: PathPattern;
}

const SCOPE_OF_UNKNOWN_PATHS: Readonly<Record<ApiName, Scope>> = { inference: 'infer', management: 'manage', metrics: 'open' };

/**
 * Finds the route of each request, checks its scope and runs it. The path is matched first, so that shared addresses need only the token of the API
 * that the path belongs to. A path nobody knows still needs a token of one of the served APIs before it is told 404.
 */
export function createRouter(routes: readonly Route[], options: RouterOptions): HttpHandler {
  const { authorize, log } = options;
  const table = new RouteTable(routes.filter((route) => options.serves.includes(route.connector)));
  const unknownPathScopes = options.serves.map((name) => SCOPE_OF_UNKNOWN_PATHS[name]);

  function route(request: HttpRequest, reply: HttpReply): void | Promise<void> {
    const { segments } = request;
    const entry = table.find(segments, request.method);
    if (entry !== undefined) {
      if (entry.route.scope !== 'open') authorize(entry.route.scope, request);
      return entry.route.handle(request, reply, entry.pattern.params(segments));
    }
    const otherMethod = table.find(segments, undefined);
    if (otherMethod !== undefined) {
      if (otherMethod.route.scope !== 'open') authorize(otherMethod.route.scope, request);
      throw MethodNotAllowed({});
    }
    authorizeAny(unknownPathScopes, request, authorize);
    throw ResourceNotFound({});
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

/** Passes when any of the scopes is granted; otherwise throws what the first refusal said. */
function authorizeAny(scopes: readonly Scope[], request: HttpRequest, authorize: RouterOptions['authorize']): void {
  if (scopes.length > 0 && scopes.every((scope) => scope === 'open')) return;
  let refusal: unknown;
  for (const scope of scopes) {
    if (scope === 'open') continue;
    try {
      authorize(scope, request);
      return;
    } catch (error) {
      refusal ??= error;
    }
  }
  throw refusal;
}
