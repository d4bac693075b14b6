import type { Readable } from 'node:stream';
import { Agent, request } from 'undici';
import type { AllowedUrls } from '../allowed-urls.js';

const MAX_REDIRECTS = 5;
const CONNECT_TIMEOUT_MS = 10_000;
const HEADERS_TIMEOUT_MS = 30_000;
const BODY_IDLE_TIMEOUT_MS = 60_000;

/** GETs an http(s) URL. Every redirect is checked against the allowed URLs like the first address. Rejects for any status but 200. */
export function httpFetcher(allowed: AllowedUrls): (url: URL, signal: AbortSignal) => Promise<Readable> {
  return async (first, signal) => {
    const dispatcher = new Agent({
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: HEADERS_TIMEOUT_MS,
      bodyTimeout: BODY_IDLE_TIMEOUT_MS,
      connections: 1,
    });
    let url = first;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
      const { statusCode, headers, body } = await request(url, { dispatcher, signal });
      const { location } = headers;
      if (statusCode >= 300 && statusCode < 400 && typeof location === 'string') {
        body.destroy();
        url = allowed.check(new URL(location, url).href);
        if (url.protocol === 'file:') throw new Error('a redirect to a file');
        continue;
      }
      if (statusCode !== 200) {
        body.destroy();
        throw new Error(`the server answered ${statusCode}`);
      }
      body.once('close', () => void dispatcher.close().catch(() => undefined));
      return body;
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects`);
  };
}
