import type { ListedModel } from '../../admission/management-gate.js';
import type { HttpRequest } from '../http-exchange.js';
import { WishParameters } from './wish-parameters.js';

const MAX_LIMIT = 100;

/** GET /models */
export function listPage(request: HttpRequest, models: readonly ListedModel[]): object {
  const { items, nextPageToken } = page(request, models);
  return { nextPageToken, models: items.map(({ name, url }) => ({ modelName: name, modelUrl: url })) };
}

/** TorchServe's paging, which gives a next page whenever token + limit don't pass the end, even where that page is empty. */
export function page<T>(request: HttpRequest, all: readonly T[]): { readonly items: readonly T[]; readonly nextPageToken: string | undefined } {
  const given = WishParameters.ofQuery(request);
  const wanted = given.integer('limit') ?? MAX_LIMIT;
  const limit = wanted < 0 || wanted > MAX_LIMIT ? MAX_LIMIT : wanted;
  const token = Math.max(0, given.integer('next_page_token') ?? 0);
  const next = token + limit;
  return { items: all.slice(token, next), nextPageToken: next <= all.length ? String(next) : undefined };
}
