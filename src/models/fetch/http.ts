import type { LookupFunction } from 'node:net';
import { Agent, type Dispatcher, request } from 'undici';
import type { Fetched, Fetcher, Resumption } from './fetcher.js';
import type { FetchHosts } from './private-address.js';

const MAX_REDIRECTS = 5;
const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 30_000;
const BODY_IDLE_TIMEOUT_MS = 60_000;
const MAX_HEADER_BYTES = 65_536;

/** What an http(s) fetcher is held to. */
export interface HttpRules {
  readonly hosts: FetchHosts;
  /** Whether the first address may be private: its host was named by the operator. */
  readonly trusts: (url: URL) => boolean;
  /** Checks where a redirect leads. Throws LocationRefused. */
  readonly check: (location: string) => URL;
  /** Headers that sign a request; none unless given. */
  readonly sign?: (url: URL) => Promise<Readonly<Record<string, string>>>;
}

/**
 * GETs an http(s) URL. Every redirect is checked like the first address, and none leads from https to anything else or carries a signature along. A host's
 * addresses are looked up once, checked, and connected to. Rejects for any status but 200, or 206 where a transfer goes on.
 */
export function httpFetcher(rules: HttpRules): Fetcher {
  return async (first, signal, resumption) => {
    let url = first;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
      const addresses = await rules.hosts.addressesOf(url.hostname, hop === 0 && rules.trusts(url));
      const dispatcher = pinnedTo(addresses);
      try {
        const signed = hop === 0 ? await rules.sign?.(url) : undefined;
        const answer = await request(url, { dispatcher, signal, headers: { 'accept-encoding': 'identity', ...signed, ...rangeOf(resumption) } });
        if (answer.statusCode === 200 || (answer.statusCode === 206 && resumption !== undefined)) return fetched(answer, dispatcher, resumption);
        url = redirected(url, answer, rules.check);
      } catch (error) {
        await dispatcher.destroy().catch(() => undefined);
        throw error;
      }
      await dispatcher.destroy().catch(() => undefined);
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects`);
  };
}

/** Connects to these addresses and asks nobody for others: what was checked is what is asked. */
export function pinnedTo(addresses: readonly { readonly address: string; readonly family: number }[]): Agent {
  const [first] = addresses;
  const lookup: LookupFunction = (_host, { all }, done) => {
    if (all) done(null, [...addresses]);
    else done(null, first?.address ?? '', first?.family ?? 4);
  };
  return new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS, lookup },
    headersTimeout: HEADERS_TIMEOUT_MS,
    bodyTimeout: BODY_IDLE_TIMEOUT_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  });
}

function rangeOf(resumption: Resumption | undefined): Record<string, string> {
  return resumption === undefined ? {} : { range: `bytes=${resumption.fromByte}-`, 'if-range': resumption.tag };
}

/** RFC 9110, 14.4: the range that was sent says where it begins. */
function fetched({ statusCode, headers, body }: Dispatcher.ResponseData, dispatcher: Agent, resumption: Resumption | undefined): Fetched {
  body.once('close', () => void dispatcher.destroy().catch(() => undefined));
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(String(headers['content-range'] ?? ''));
  const isContinued = statusCode === 206;
  if (isContinued && Number(range?.[1]) !== resumption?.fromByte) {
    body.on('error', () => undefined).destroy();
    throw new Error('the server sent another range');
  }
  const { etag } = headers;
  const tag = typeof etag === 'string' && etag.startsWith('"') ? etag : undefined;
  const length = isContinued ? range?.[2] : headers['content-length'];
  return { body, sizeBytes: typeof length === 'string' && /^\d{1,15}$/.test(length) ? Number(length) : undefined, tag, isContinued };
}

function redirected(url: URL, { statusCode, headers, body }: Dispatcher.ResponseData, check: HttpRules['check']): URL {
  // Nobody reads this body; its error must find a listener all the same.
  body.on('error', () => undefined).destroy();
  const { location } = headers;
  if (statusCode < 300 || statusCode >= 400 || typeof location !== 'string') throw new Error(`the server answered ${statusCode}`);
  const next = check(new URL(location, url).href);
  if (!['http:', 'https:'].includes(next.protocol) || (url.protocol === 'https:' && next.protocol !== 'https:'))
    throw new Error(`a redirect to ${next.protocol}`);
  return next;
}
