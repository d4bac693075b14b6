import { STATUS_CODES } from 'node:http';
import type { HeaderPair } from '../inference/request.js';

/** The headers that every answer carries and no handler can change, apart from its own id and framing. Case and values as TorchServe writes them. */
const FIXED: readonly string[] = [
  'Pragma',
  'no-cache',
  'Cache-Control',
  'no-cache; no-store, must-revalidate, private',
  'Expires',
  'Thu, 01 Jan 1970 00:00:00 UTC',
];

/** Where no other origin is permitted, no page of one may embed an answer either. */
const SAME_ORIGIN: readonly HeaderPair[] = [['cross-origin-resource-policy', 'same-origin']];

/** Names that the listener owns: what a handler sets under them is left out. `trailer` and the like would announce what never comes. */
const OWNED = new Set([
  'x-request-id',
  'pragma',
  'cache-control',
  'expires',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-connection',
  'trailer',
  'upgrade',
]);

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const UNSAFE = /[^\t\x20-\x7e\x80-\xff]/g;

/**
 * Node's flat list for one answer: the handler's headers (the last of equal names wins, any case), the CORS headers it did not set itself, then the
 * fixed ones. A name that HTTP does not allow is left out; characters of a value that could end the line or that no header can carry become `?`.
 */
export function answerHeaders(requestId: string, own: readonly HeaderPair[], cors: readonly HeaderPair[]): string[] {
  const byName = new Map<string, HeaderPair>();
  for (const pair of own) {
    const key = pair[0].toLowerCase();
    if (TOKEN.test(key) && !OWNED.has(key)) byName.set(key, pair);
  }
  const flat: string[] = [];
  for (const [name, value] of byName.values()) flat.push(name, safeText(value));
  flat.push('x-request-id', requestId);
  for (const [name, value] of cors.length > 0 ? cors : SAME_ORIGIN) if (!byName.has(name.toLowerCase())) flat.push(name, value);
  if (!byName.has('x-content-type-options')) flat.push('x-content-type-options', 'nosniff');
  for (const text of FIXED) flat.push(text);
  return flat;
}

/** Text that a header value or reason phrase can carry. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, '?');
}

/** The reason phrase of a status, in TorchServe's words where Node has others. */
export function reasonOf(status: number): string {
  const known = OTHER_WORDS[status] ?? (NAMELESS.has(status) ? undefined : STATUS_CODES[status]);
  return known ?? `${CLASS_WORDS[Math.floor(status / 100)] ?? 'Unknown Status'} (${status})`;
}

const OTHER_WORDS: Readonly<Record<number, string>> = {
  413: 'Request Entity Too Large',
  416: 'Requested Range Not Satisfiable',
  425: 'Unordered Collection',
};
/** Statuses that Node has words for and TorchServe has not. */
const NAMELESS: ReadonlySet<number> = new Set([208, 226, 418, 451, 508, 509]);

const CLASS_WORDS: Readonly<Record<number, string>> = { 2: 'Success', 3: 'Redirection', 4: 'Client Error', 5: 'Server Error' };
