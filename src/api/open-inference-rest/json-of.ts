import { parseExactJson } from '../../inference/exact-json.js';

/** Exact JSON of bytes; undefined for what is no JSON: the handler, or the client, may know better. */
export function jsonOf(bytes: Uint8Array): unknown {
  try {
    return parseExactJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  } catch {
    return undefined;
  }
}
