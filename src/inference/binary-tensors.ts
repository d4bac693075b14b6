import { BadInput } from '../errors/backend.js';
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

/** An input whose values are among the bytes: where they are. */
export interface BinaryRange {
  readonly name: string;
  readonly entry: Record<string, unknown>;
  readonly start: number;
  readonly end: number;
}

/** Where among `byteLength` bytes the values of each entry of `inputs` are; undefined for an entry that has them in the JSON. Throws BadInput where the sizes don't add up. */
export function rangesOf(inputs: readonly unknown[], byteLength: number): readonly (BinaryRange | undefined)[] {
  let at = 0;
  const ranges = inputs.map((input): BinaryRange | undefined => {
    const name = memberOf(input, 'name');
    if (!isRecord(input) || typeof name !== 'string') throw BadInput({ what: 'Each entry of "inputs" needs a "name".' });
    const parameters = input.parameters;
    if (memberOf(parameters, 'shared_memory_region') !== undefined) throw BadInput({ what: `Input "${name}": shared memory is not supported.` });
    if (memberOf(parameters, 'binary_data_size') === undefined) return undefined;
    const sizeBytes = binarySizeOf(parameters);
    if (sizeBytes === undefined) throw BadInput({ what: `Input "${name}": "binary_data_size" has to be a whole number of bytes.` });
    if (Object.hasOwn(input, 'data')) throw BadInput({ what: `Input "${name}": its values are in "data" and among the bytes.` });
    if (at + sizeBytes > byteLength) throw BadInput({ what: `Input "${name}": ${sizeBytes} bytes were announced, ${byteLength - at} are there.` });
    at += sizeBytes;
    return { name, entry: input, start: at - sizeBytes, end: at };
  });
  if (at < byteLength) throw BadInput({ what: `${byteLength - at} bytes after the last input belong to none.` });
  return ranges;
}

/** Whether the output of this name was asked for as bytes. */
export type BinaryOutputs = (name: string) => boolean;

/** What a request's JSON says of the form of its outputs: each by its own `binary_data`, the others by the request's `binary_data_output`. */
export function binaryOutputsOf(json: unknown): BinaryOutputs {
  const outputs = memberOf(json, 'outputs');
  const asBinary = new Map<unknown, unknown>(
    Array.isArray(outputs) ? outputs.map((output) => [memberOf(output, 'name'), memberOf(memberOf(output, 'parameters'), 'binary_data')]) : [],
  );
  const byDefault = memberOf(memberOf(json, 'parameters'), 'binary_data_output') === true;
  return (name) => asBinary.get(name) === true || (byDefault && asBinary.get(name) === undefined);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A member of what may be an object. */
export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}
