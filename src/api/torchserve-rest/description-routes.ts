import type { ApiName, Route } from '../route.js';
import { connectorDocument } from './openapi/connector-document.js';

/** The API's description of itself: OPTIONS on `/`, and /api-description. What is shared on one address is described together. */
export function descriptionRoutes(serves: readonly ApiName[], version: string): readonly Route[] {
  const [connector = 'inference'] = serves;
  const document = connectorDocument(serves, version);
  const handle: Route['handle'] = (_request, reply) => reply.json(200, document);
  return [
    { connector, methods: ['OPTIONS'], pattern: '/', scope: 'open', handle },
    { connector, methods: 'any', pattern: '/api-description', scope: 'open', handle },
  ];
}
