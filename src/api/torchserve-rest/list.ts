import type { ListedModel } from '../../admission/management-gate.js';
import type { HttpRequest } from '../http-exchange.js';
import { WishParameters } from './wish-parameters.js';

const MAX_LIMIT = 100;

/** Some of a list, and where the next page begins; undefined on the last. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string | undefined;
}

/** GET /models */
export function listPage(request: HttpRequest, models: readonly ListedModel[]): object {
  return modelPage(page(request, models));
}

/** A page of models as both protocols write it in JSON. */
export function modelPage({ items, nextPageToken }: Page<ListedModel>): object {
  return { nextPageToken, models: items.map(({ name, url }) => ({ modelName: name, modelUrl: url })) };
}

/** The page that a request asks for. */
export function page<T>(request: HttpRequest, all: readonly T[]): Page<T> {
  const given = WishParameters.ofQuery(request);
  return pageOf(all, given.integer('limit') ?? MAX_LIMIT, given.integer('next_page_token') ?? 0);
}

/** At most `wanted` entries, 100 for a number that is none from 0 to 100, from `wantedToken` on. TorchServe gives a next page whenever token + limit don't pass the end, even where that page is empty. */
export function pageOf<T>(all: readonly T[], wanted: number, wantedToken: number): Page<T> {
  const limit = wanted < 0 || wanted > MAX_LIMIT ? MAX_LIMIT : wanted;
  const token = Math.max(0, wantedToken);
  const next = token + limit;
  return { items: all.slice(token, next), nextPageToken: next <= all.length ? String(next) : undefined };
}
