import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import type { AllowedUrls } from '../allowed-urls.js';

const MAX_REDIRECTS = 5;
const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 30_000;
const BODY_IDLE_TIMEOUT_MS = 60_000;

/**
 * GETs an http(s) URL. Every redirect is checked against the allowed URLs like the first address, and none leads from https to anything else.
 * Rejects for any status but 200.
 */
export function httpFetcher(allowed: AllowedUrls): (url: URL, signal: AbortSignal) => Promise<Readable> {
  return async (first, signal) => {
    const dispatcher = new Agent({
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: HEADERS_TIMEOUT_MS,
      bodyTimeout: BODY_IDLE_TIMEOUT_MS,
    });
    try {
      const body = await follow(first, allowed, dispatcher, signal);
      body.once('close', () => void dispatcher.destroy().catch(() => undefined));
      return body;
    } catch (error) {
      await dispatcher.destroy().catch(() => undefined);
      throw error;
    }
  };
}

async function follow(first: URL, allowed: AllowedUrls, dispatcher: Agent, signal: AbortSignal): Promise<Readable> {
  let url = first;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
    const { statusCode, headers, body } = await request(url, { dispatcher, signal });
    if (statusCode === 200) return body;
    // Nobody reads this body; its error must find a listener all the same.
    body.on('error', () => undefined).destroy();
    const { location } = headers;
    if (statusCode < 300 || statusCode >= 400 || typeof location !== 'string') throw new Error(`the server answered ${statusCode}`);
    const next = allowed.check(new URL(location, url).href);
    if (next.protocol === 'file:' || (url.protocol === 'https:' && next.protocol !== 'https:')) throw new Error(`a redirect to ${next.protocol}`);
    url = next;
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`);
}
