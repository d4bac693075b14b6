import { BadRequest, FormMalformed } from '../../errors/admission.js';
import type { InputParameter } from '../../inference/request.js';

/** Parts of one body; more are refused. */
const MAX_PARTS = 1000;
/** Header lines of one part together. */
const MAX_PART_HEADER_BYTES = 8192;
const LF = 0x0a;
const CR = 0x0d;
const DASH = 0x2d;

/**
 * The boundary of a `multipart/form-data` content type; undefined for any other, and for one that names no boundary (such a body is no form, it is taken raw).
 */
export function multipartBoundary(contentType: string): string | undefined {
  if (!/^multipart\/form-data\b/i.test(contentType)) return undefined;
  const match = /;\s*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType);
  return match?.[1] ?? match?.[2];
}

/**
 * Takes a form body apart (RFC 7578) without copying: values are views of `body`. Every part keeps its bytes as they are, whatever charset or transfer
 * encoding it declares. A part with a file name carries its content type (`application/octet-stream` by default), one without carries none.
 * Throws FormMalformed for what is no such body (a truncated one too), BadRequest past a limit.
 */
export function parseMultipart(body: Uint8Array, boundary: string): InputParameter[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const delimiter = Buffer.from(`--${boundary}`, 'latin1');
  const parameters: InputParameter[] = [];
  let at = findDelimiter(bytes, delimiter, 0);
  if (at === undefined) throw FormMalformed({ message: 'No Multipart delimiter found' });
  while (!at.closes) {
    // Some clients write a form of no parts as an opening delimiter and the closing one.
    if (bytes.subarray(at.after, at.after + delimiter.length).equals(delimiter)) {
      at = findDelimiter(bytes, delimiter, at.after) ?? malformed('Unexpected end of form');
      continue;
    }
    if (parameters.length === MAX_PARTS) throw BadRequest({ message: `A form may have at most ${MAX_PARTS} parts.` });
    const headers = readPartHeaders(bytes, at.after);
    const next = findDelimiter(bytes, delimiter, headers.after);
    if (next === undefined) throw FormMalformed({ message: 'Unexpected end of form' });
    parameters.push(toParameter(headers.lines, bytes.subarray(headers.after, Math.max(headers.after, next.contentEnd))));
    at = next;
  }
  return parameters;
}

function malformed(message: string): never {
  throw FormMalformed({ message });
}

interface Delimiter {
  /** Where the content before it ends: its own line break does not belong to the content. */
  readonly contentEnd: number;
  /** First byte after its line. */
  readonly after: number;
  /** It has the closing dashes, or nothing follows it. */
  readonly closes: boolean;
}

/** The next line that is the delimiter, from `from` on. Text that merely begins like one is content. */
function findDelimiter(bytes: Buffer, delimiter: Buffer, from: number): Delimiter | undefined {
  for (let start = bytes.indexOf(delimiter, from); start !== -1; start = bytes.indexOf(delimiter, start + 1)) {
    if (start !== 0 && bytes[start - 1] !== LF) continue;
    let end = start + delimiter.length;
    const hasDashes = bytes[end] === DASH && bytes[end + 1] === DASH;
    if (hasDashes) end += 2;
    while (bytes[end] === 0x20 || bytes[end] === 0x09) end++;
    if (bytes[end] === CR) end++;
    if (end < bytes.length && bytes[end] !== LF) continue;
    const lineBreak = start === 0 ? 0 : bytes[start - 2] === CR ? 2 : 1;
    return { contentEnd: start - lineBreak, after: end + 1, closes: hasDashes || end + 1 >= bytes.length };
  }
  return undefined;
}

function readPartHeaders(bytes: Buffer, from: number): { readonly lines: readonly string[]; readonly after: number } {
  const lines: string[] = [];
  let at = from;
  for (;;) {
    const lineEnd = bytes.indexOf(LF, at);
    if (lineEnd === -1) throw FormMalformed({ message: 'Unexpected end of form' });
    if (lineEnd - from > MAX_PART_HEADER_BYTES) throw BadRequest({ message: `The headers of a form part may have at most ${MAX_PART_HEADER_BYTES} bytes.` });
    const end = lineEnd > at && bytes[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    if (end === at) return { lines, after: lineEnd + 1 };
    lines.push(bytes.toString('utf8', at, end));
    at = lineEnd + 1;
  }
}

function toParameter(headerLines: readonly string[], value: Buffer): InputParameter {
  const disposition = dispositionParameters(headerValue(headerLines, 'content-disposition') ?? '');
  const name = disposition.get('name');
  if (name === undefined) throw FormMalformed({ message: 'A form part has no name' });
  const isFile = disposition.has('filename') || disposition.has('filename*');
  return { name, contentType: isFile ? bareMediaType(headerValue(headerLines, 'content-type')) : '', value };
}

function headerValue(lines: readonly string[], lowerCaseName: string): string | undefined {
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon === lowerCaseName.length && line.slice(0, colon).toLowerCase() === lowerCaseName) return line.slice(colon + 1).trim();
  }
  return undefined;
}

/** Quoted values escape `"` and `\` with a backslash; browsers write `%22` instead, which is left as it is. The first of two equal names counts. */
function dispositionParameters(disposition: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>();
  for (const [, name = '', quoted, plain = ''] of disposition.matchAll(/;\s*([^=;\s"]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/g)) {
    const key = name.toLowerCase();
    if (!parameters.has(key)) parameters.set(key, quoted === undefined ? plain : quoted.replace(/\\(["\\])/g, '$1'));
  }
  return parameters;
}

function bareMediaType(contentType: string | undefined): string {
  const bare = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  return bare === undefined || bare === '' ? 'application/octet-stream' : bare;
}
