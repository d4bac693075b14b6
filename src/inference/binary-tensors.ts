import type { HeaderPair } from './request.js';

/**
 * KServe's binary tensor extension: the body is JSON and then bytes, and this header says how long the JSON is. An entry whose parameters hold
 * `binary_data_size` has its values among the bytes, in the order of the entries.
 */
export const JSON_LENGTH_HEADER = 'inference-header-content-length';

/** A body taken apart. */
export interface MixedBody {
  readonly json: Uint8Array;
  readonly bytes: Uint8Array;
}

/** Takes a body apart. undefined where there is no such header; `broken` where it fits no such body. */
export function mixedBodyOf(headers: readonly HeaderPair[], body: Uint8Array): MixedBody | 'broken' | undefined {
  const text = headers.findLast(([name]) => name.toLowerCase() === JSON_LENGTH_HEADER)?.[1];
  if (text === undefined) return undefined;
  const length = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return length <= body.byteLength ? { json: body.subarray(0, length), bytes: body.subarray(length) } : 'broken';
}

/** A body of JSON and bytes, and the header that tells them apart. */
export function mixedBody(json: string, parts: readonly Uint8Array[]): { readonly body: Uint8Array; readonly header: HeaderPair } {
  const head = Buffer.from(json);
  return { body: Buffer.concat([head, ...parts]), header: [JSON_LENGTH_HEADER, String(head.byteLength)] };
}

/** The `binary_data_size` of an entry's parameters; undefined where its values are in the JSON. */
export function binarySizeOf(parameters: unknown): number | undefined {
  const size = memberOf(parameters, 'binary_data_size');
  return typeof size === 'number' && Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}

/** A member of what may be an object. */
export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}
