import type { ListedModel } from '../../admission/management-gate.js';
import type { HttpRequest } from '../http-exchange.js';
import { WishParameters } from './wish-parameters.js';

const MAX_LIMIT = 100;

/** GET /models: TorchServe's paging, which gives a next page whenever token + limit don't pass the end, even where that page is empty. */
export function listPage(request: HttpRequest, models: readonly ListedModel[]): object {
  const given = WishParameters.ofQuery(request);
  return pageOf(models, given.integer('limit') ?? MAX_LIMIT, given.integer('next_page_token') ?? 0);
}

/** The page of at most `wanted` models, 100 for a number that is none from 0 to 100, that begins at `wantedToken`. */
export function pageOf(models: readonly ListedModel[], wanted: number, wantedToken: number): object {
  const limit = wanted < 0 || wanted > MAX_LIMIT ? MAX_LIMIT : wanted;
  const token = Math.max(0, wantedToken);
  const next = token + limit;
  return {
    ...(next <= models.length ? { nextPageToken: String(next) } : {}),
    models: models.slice(token, next).map(({ name, url }) => ({ modelName: name, modelUrl: url })),
  };
}
