import type { SconceError } from '../../errors/sconce-error.js';
import type { ResponsePart } from '../../inference/part.js';
import type { HeaderPair } from '../../inference/request.js';
import { renderError } from '../render-error.js';

/** Proxies give up on a connection that is silent for a minute, some for half of one. */
export const KEEP_ALIVE_MS = 15_000;
/** A comment, which clients skip. */
export const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');
const EVENT_STREAM = 'text/event-stream';
const DATA = 'data:';

/** Whether the client asks for server-sent events, and the handler has not made its parts events already. */
export function becomesEvents(headers: readonly HeaderPair[], first: ResponsePart): boolean {
  return (
    accepts(headers) && !contentTypeOf(first.headers).startsWith(EVENT_STREAM) && Buffer.from(first.body.subarray(0, DATA.length)).toString('latin1') !== DATA
  );
}

/** The handler's headers with the content type of a stream of events. */
export function eventHeaders(headers: readonly HeaderPair[]): readonly HeaderPair[] {
  return [...headers.filter(([name]) => name.toLowerCase() !== 'content-type'), ['content-type', EVENT_STREAM]];
}

/** One event whose data is the text of a part. */
export function eventOf(body: Uint8Array): Buffer {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString();
  return Buffer.from(`${dataLines(text)}\n`);
}

/** The event that ends a stream which failed after its beginning: `error`, with the JSON that the failure would have been as an answer. */
export function errorEvent(error: SconceError): Buffer {
  return Buffer.from(`event: error\n${dataLines(JSON.stringify(JSON.parse(renderError(error).body)))}\n`);
}

/** A line break would end the field: each line is a field, and the client joins them again. */
function dataLines(text: string): string {
  return text
    .split(/\r\n|\n|\r/)
    .map((line) => `${DATA} ${line}\n`)
    .join('');
}

function accepts(headers: readonly HeaderPair[]): boolean {
  const wanted = headers.findLast(([name]) => name.toLowerCase() === 'accept')?.[1] ?? '';
  return wanted.split(',').some((one) => {
    const [type = '', ...parameters] = one.split(';').map((text) => text.trim().toLowerCase());
    return type === EVENT_STREAM && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter));
  });
}

function contentTypeOf(headers: readonly HeaderPair[]): string {
  return (
    headers
      .findLast(([name]) => name.toLowerCase() === 'content-type')?.[1]
      .trim()
      .toLowerCase() ?? ''
  );
}
