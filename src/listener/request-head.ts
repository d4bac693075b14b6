import { BadRequest, MethodNotAllowed, TransferCodingUnknown } from '../errors/admission.js';
import type { SconceError } from '../errors/sconce-error.js';
import { type CallerRules, refusalOfCaller } from './caller-rules.js';
import type { HttpLimits } from './http-limits.js';
import { pathOf } from './request-target.js';

/** What TorchServe says of everything that it cannot read. */
export const BAD_MESSAGE = 'Invalid HTTP message.';

/** What the access log shows where no request line could be read, as TorchServe's does. */
export const UNREADABLE = { method: 'GET', target: '/bad-request' } as const;

/** The head of a request in either protocol, as HTTP/1.1 would have it. */
export interface RequestHead {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
}

/** Whether request line and headers keep their own limits: Node counts them together. */
export function headFits({ method, url, rawHeaders }: RequestHead, { maxRequestLineBytes, maxHeaderBytes }: HttpLimits): boolean {
  // The two spaces and `HTTP/1.1`.
  const lineBytes = (method?.length ?? 0) + (url?.length ?? 0) + 10;
  if (lineBytes > maxRequestLineBytes) return false;
  let headerBytes = 0;
  for (const text of rawHeaders) headerBytes += text.length + 1;
  return headerBytes <= maxHeaderBytes;
}

/** Why a request is refused by its head alone, before any of its body is read. */
export function refusalOfHead(
  message: RequestHead & { readonly httpVersionMinor: number; readonly socket: { readonly localAddress?: string | undefined } },
  rules: CallerRules,
): SconceError | undefined {
  const { method = '', url = '', rawHeaders, httpVersionMinor, socket } = message;
  const hosts: string[] = [];
  const origins: string[] = [];
  const codings: string[] = [];
  let fetchSite: string | undefined;
  let contentType: string | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const value = rawHeaders[i + 1] ?? '';
    switch (rawHeaders[i]?.toLowerCase()) {
      case 'host':
        hosts.push(value);
        break;
      case 'origin':
        origins.push(value);
        break;
      case 'transfer-encoding':
        codings.push(value);
        break;
      case 'sec-fetch-site':
        fetchSite = value;
        break;
      case 'content-type':
        contentType ??= value;
    }
  }
  const [coding] = codings;
  // Of two readers of such a request, one would see its end elsewhere.
  if (coding !== undefined && (codings.length > 1 || httpVersionMinor === 0)) return BadRequest({ message: BAD_MESSAGE });
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return TransferCodingUnknown({});
  if (method === 'TRACE') return MethodNotAllowed({});
  const targetAuthority = /^https?:\/\/([^/?#]*)/i.exec(url)?.[1];
  const mayLackHost = httpVersionMinor === 0;
  const facts = { method, path: pathOf(url), hosts, targetAuthority, origins, fetchSite, contentType, mayLackHost, localAddress: socket.localAddress };
  return refusalOfCaller(facts, rules);
}
