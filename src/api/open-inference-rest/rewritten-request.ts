import type { HeaderPair } from '../../inference/request.js';
import type { HttpRequest } from '../http-exchange.js';

/** Headers that speak of the body as the client sent it. */
const OF_THE_BODY = new Set(['content-type', 'content-length', 'inference-header-content-length']);

/** A request with JSON in the place of its body. `query` may throw and `closed` costs something: both are asked of the original only where they are wanted. */
export function withJson(original: HttpRequest, body: Uint8Array): HttpRequest {
  const mediaType = 'application/json';
  const kept = original.headers.filter(([name]) => !OF_THE_BODY.has(name.toLowerCase()));
  const headers: readonly HeaderPair[] = [...kept, ['content-type', mediaType], ['content-length', String(body.byteLength)]];
  const { id, peer, principal, connector, method, target, segments, receivedAtMs } = original;
  return {
    id,
    peer,
    principal,
    connector,
    method,
    target,
    segments,
    receivedAtMs,
    mediaType,
    headers,
    body,
    header(name) {
      const wanted = name.toLowerCase();
      return headers.find(([key]) => key.toLowerCase() === wanted)?.[1];
    },
    get query() {
      return original.query;
    },
    get closed() {
      return original.closed;
    },
  };
}
