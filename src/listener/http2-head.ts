import { METHODS } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http2';
import { BadRequest, MethodNotAllowed } from '../errors/admission.js';
import type { SconceError } from '../errors/sconce-error.js';
import { BAD_MESSAGE, type RequestHead } from './request-head.js';

const KNOWN_METHODS = new Set(METHODS);

/** The head of a stream of HTTP/2 as HTTP/1.1 would have it: the authority is the host, and a host that says otherwise is a second one; a cookie in pieces is one. */
export function http2Head(headers: IncomingHttpHeaders, raw: readonly string[]): Required<RequestHead> & { readonly method: string; readonly url: string } {
  const { ':method': method = '', ':path': url = '', ':authority': authority } = headers;
  const rawHeaders = authority === undefined ? [] : ['host', authority];
  let cookieAt: number | undefined;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const [name = '', value = ''] = [raw[i], raw[i + 1]];
    if (name.startsWith(':') || (name === 'host' && value === authority)) continue;
    if (name === 'cookie' && cookieAt !== undefined) {
      rawHeaders[cookieAt] += `; ${value}`;
      continue;
    }
    rawHeaders.push(name, value);
    if (name === 'cookie') cookieAt = rawHeaders.length - 1;
  }
  return { method, url, rawHeaders };
}

/** Why a head is refused that a reader of HTTP/1.1 would not have taken, and HTTP/2's does. */
export function refusalOfForm({ method, url }: { readonly method: string; readonly url: string }): SconceError | undefined {
  if (method === 'CONNECT') return MethodNotAllowed({});
  const isPath = url.startsWith('/') || (method === 'OPTIONS' && url === '*');
  return isPath && KNOWN_METHODS.has(method) ? undefined : BadRequest({ message: BAD_MESSAGE });
}
