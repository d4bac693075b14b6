import type { Scope } from '../admission/scope.js';
import type { HttpReply, HttpRequest } from './http-exchange.js';

/** The API a route belongs to. A listener serves one of them, or several where addresses are shared. */
export type ApiName = 'inference' | 'management' | 'metrics';

/** The variable segments of a matched path, percent-decoded. */
export interface RouteParams {
  /** The segment that `:name` stands for. Throws Invariant when the pattern has no such name. */
  get(name: string): string;
  /** The same; undefined when the pattern has no such name. */
  find(name: string): string | undefined;
  /** The segments that a trailing `*` took, joined by `/`; '' where the pattern has none. */
  readonly rest: string;
}

/**
 * One path of the REST APIs. `pattern` consists of segments: a literal, `:name` (exactly one segment, which may be empty) or a final `*` (one
 * segment or more). Where several patterns fit a path, literal beats name and name beats `*`, from left to right.
 */
export interface Route {
  readonly connector: ApiName;
  /** Upper-case methods, or `any`. A path that fits with another method is answered 405. */
  readonly methods: readonly string[] | 'any';
  readonly pattern: string;
  /** Checked after the path has matched and before `handle`. */
  readonly scope: Scope;
  /** A further test of the decoded segments, for shapes a pattern can't express. False: the route does not fit the path. */
  fits?(segments: readonly string[]): boolean;
  /** Answers the request. A thrown SconceError is rendered by the router; anything else is a fault of ours: logged, 500. */
  handle(request: HttpRequest, reply: HttpReply, params: RouteParams): void | Promise<void>;
}
