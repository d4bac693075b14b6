import type { Credentials } from '../admission/caller.js';
import type { HttpRequest } from './http-exchange.js';

/** What an HTTP request shows to prove who sent it: headers, and the connection itself. What stands in its path, query or body proves nothing. */
export function credentialsOf(request: HttpRequest): Credentials {
  const { id, peer, connection, headers, tlsPrincipal } = request;
  const authorization = headers.flatMap(([name, value]) => (name.length === NAME.length && name.toLowerCase() === NAME ? [value] : []));
  return { id, peer, connection, authorization, tlsPrincipal };
}

const NAME = 'authorization';
