import type { ListedModel } from '../../admission/management-gate.js';
import type { HttpRequest } from '../http-exchange.js';
import { WishParameters } from './wish-parameters.js';

const MAX_LIMIT = 100;

/** GET /models: TorchServe's paging, which gives a next page whenever token + limit don't pass the end, even where that page is empty. */
export function listPage(request: HttpRequest, models: readonly ListedModel[]): object {
  const given = WishParameters.ofQuery(request);
  const wanted = given.integer('limit') ?? MAX_LIMIT;
  const limit = wanted < 0 || wanted > MAX_LIMIT ? MAX_LIMIT : wanted;
  const token = Math.max(0, given.integer('next_page_token') ?? 0);
  const next = token + limit;
  return {
    ...(next <= models.length ? { nextPageToken: String(next) } : {}),
    models: models.slice(token, next).map(({ name, url }) => ({ modelName: name, modelUrl: url })),
  };
}
