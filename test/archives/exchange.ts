import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RawClient } from '../fixtures/raw-http.js';
import type { Answer, ArchiveRequest, Body, FileBody, FormBody, Places } from './archive.js';

/** Compiling at the first request takes longest. */
const ANSWERS_WITHIN_MS = 180_000;
const BOUNDARY = 'a-boundary-of-the-tests';

/** One request on a connection of its own. Rejects when no head comes within three minutes, or none before the connection closes. */
export async function exchange(address: string, request: ArchiveRequest, places: Places): Promise<Answer> {
  const { host } = new URL(address);
  const body = request.body === undefined ? undefined : bytesOf(request.body, places);
  const headers: [string, string][] = [['Host', host], ...Object.entries(request.headers ?? {})];
  if (isForm(request.body)) headers.push(['Content-Type', `multipart/form-data; boundary=${BOUNDARY}`]);
  if (body !== undefined) headers.push(['Content-Length', String(body.length)]);
  const head = [`${request.method ?? 'POST'} ${request.path} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n');
  return exchangeBytes(address, Buffer.concat([Buffer.from(head), body ?? Buffer.alloc(0)]));
}

/** Sends bytes, which may be no HTTP, on a connection of their own. Rejects as `exchange` does. */
export async function exchangeBytes(address: string, bytes: Uint8Array): Promise<Answer> {
  const client = await RawClient.open({ port: Number(new URL(address).port) });
  const patience = setTimeout(() => client.close(), ANSWERS_WITHIN_MS);
  try {
    client.send(bytes);
    const received = await client.until((text) => isWhole(text)).catch(() => client.received);
    if (!received.includes('\r\n\r\n')) throw new Error(`${Buffer.from(bytes).toString().slice(0, 60)} was not answered: ${JSON.stringify(received)}`);
    return parse(received);
  } finally {
    clearTimeout(patience);
    client.close();
  }
}

function isForm(body: Body | undefined): body is FormBody {
  return body !== undefined && typeof body === 'object' && 'parts' in body;
}

function bytesOf(body: Body, places: Places): Buffer {
  if (!isForm(body)) return contentOf(body, places);
  const pieces: Buffer[] = [];
  for (const [name, { content, fileName, type }] of Object.entries(body.parts)) {
    const file = fileName === undefined ? '' : `; filename="${fileName}"`;
    const kind = type === undefined ? '' : `Content-Type: ${type}\r\n`;
    pieces.push(Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n${kind}\r\n`));
    pieces.push(contentOf(content, places), Buffer.from('\r\n'));
  }
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

function contentOf(content: string | Uint8Array | FileBody, places: Places): Buffer {
  if (typeof content === 'string' || content instanceof Uint8Array) return Buffer.from(content);
  if (content.demo !== undefined) return readFileSync(join(places.root, 'demo', content.demo));
  return readFileSync(join(places.madeFolder, content.made ?? ''));
}

function isWhole(text: string): boolean {
  const headEnd = text.indexOf('\r\n\r\n');
  if (headEnd === -1) return false;
  const head = text.slice(0, headEnd);
  if (/\r\ntransfer-encoding: *chunked/i.test(head)) return chunksOf(text.slice(headEnd + 4)).isWhole;
  return text.length >= headEnd + 4 + Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
}

function parse(text: string): Answer {
  const headEnd = text.indexOf('\r\n\r\n');
  const [statusLine = '', ...lines] = text.slice(0, headEnd).split('\r\n');
  const [, status = '0', reason = ''] = /^HTTP\/1\.1 (\d+) ?(.*)$/.exec(statusLine) ?? [];
  const headers = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const);
  const rest = text.slice(headEnd + 4);
  const answer = { status: Number(status), reason, headers, isCutOff: !isWhole(text) };
  if (!headers.some(([name, value]) => name.toLowerCase() === 'transfer-encoding' && value === 'chunked')) {
    return { ...answer, body: Buffer.from(rest, 'latin1'), chunks: undefined };
  }
  const chunks = chunksOf(rest).chunks.map((chunk) => Buffer.from(chunk, 'latin1'));
  return { ...answer, body: Buffer.concat(chunks), chunks };
}

function chunksOf(text: string): { readonly chunks: readonly string[]; readonly isWhole: boolean } {
  const chunks: string[] = [];
  for (let at = 0; ; ) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd === -1) return { chunks, isWhole: false };
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (size === 0) return { chunks, isWhole: text.length >= lineEnd + 4 };
    if (text.length < lineEnd + 2 + size + 2) return { chunks, isWhole: false };
    chunks.push(text.slice(lineEnd + 2, lineEnd + 2 + size));
    at = lineEnd + 2 + size + 2;
  }
}
