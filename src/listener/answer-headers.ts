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
  const flat: string[] = [];
  if (own.length > 0) appendOwn(flat, own);
  flat.push('x-request-id', requestId);
  for (const [name, value] of cors) if (!hasName(own, name)) flat.push(name, value);
  for (const text of FIXED) flat.push(text);
  return flat;
}

function appendOwn(flat: string[], own: readonly HeaderPair[]): void {
  for (let i = 0; i < own.length; i++) {
    const pair = own[i];
    if (pair === undefined || !TOKEN.test(pair[0]) || OWNED.has(pair[0].toLowerCase())) continue;
    if (i + 1 < own.length && hasName(own, pair[0], i + 1)) continue;
    flat.push(pair[0], safeText(pair[1]));
  }
}

function hasName(pairs: readonly HeaderPair[], name: string, from = 0): boolean {
  const wanted = name.toLowerCase();
  for (let i = from; i < pairs.length; i++) if (pairs[i]?.[0].toLowerCase() === wanted) return true;
  return false;
}

/** Text that a header value or reason phrase can carry. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, '?');
}

/** The reason phrase of a status, in TorchServe's words where Node has others. */
export function reasonOf(status: number): string {
  if (status === 413) return 'Request Entity Too Large';
  return STATUS_CODES[status] ?? `${CLASS_WORDS[Math.floor(status / 100)] ?? 'Unknown Status'} (${status})`;
}

const CLASS_WORDS: Readonly<Record<number, string>> = { 2: 'Success', 3: 'Redirection', 4: 'Client Error', 5: 'Server Error' };
