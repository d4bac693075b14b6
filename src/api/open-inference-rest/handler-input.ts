import { setImmediate } from 'node:timers/promises';
import { BadInput } from '../../errors/backend.js';
import { type BinaryRange, rangesOf } from '../../inference/binary-tensors.js';
import { readBytesElements } from '../../inference/bytes-elements.js';
import { DATATYPES, type Datatype, unpackValues } from '../../inference/datatype.js';
import { exactJson, writeExactJson } from '../../inference/exact-json.js';

/** Bytes that are no UTF-8 go to a handler in base64, and this parameter says so. */
const BASE64 = { content_type: 'base64' };

/** So many numbers are written before others have their turn: a few milliseconds of work. */
const NUMBERS_AT_ONCE = 8192;

/** The JSON that a handler gets of a request with binary tensors: their values stand in `data` as if they had come so. Rejects with BadInput. */
export async function handlerJson(json: object, inputs: readonly unknown[], bytes: Uint8Array): Promise<string> {
  const ranges = rangesOf(inputs, bytes.byteLength);
  const read: unknown[] = [];
  for (const [index, input] of inputs.entries()) read.push(await withData(input, ranges[index], bytes));
  return writeExactJson({ ...json, inputs: read });
}

async function withData(input: unknown, range: BinaryRange | undefined, bytes: Uint8Array): Promise<unknown> {
  if (range === undefined) return input;
  const { name, entry } = range;
  const { binary_data_size: _, ...parameters } = Object(entry.parameters);
  const { data, remark } = await dataOf(name, entry, bytes.subarray(range.start, range.end));
  const kept = { ...parameters, ...remark };
  const { parameters: __, ...rest } = entry;
  return { ...rest, ...(Object.keys(kept).length === 0 ? {} : { parameters: kept }), data };
}

async function dataOf(
  name: string,
  { datatype, shape }: Record<string, unknown>,
  bytes: Uint8Array,
): Promise<{ readonly data: unknown; readonly remark?: Record<string, unknown> }> {
  if (!isShape(shape)) throw BadInput({ what: `Input "${name}": "shape" has to be an array of whole numbers.` });
  const count = shape.reduce((product, dim) => product * dim, 1);
  const told = `[${shape.join(', ')}]`;
  if (datatype === 'BYTES') {
    const elements = readBytesElements(bytes);
    if (elements === undefined) throw BadInput({ what: `Input "${name}": the lengths of its BYTES elements do not add up.` });
    if (elements.length !== count) throw BadInput({ what: `Input "${name}": the shape ${told} has ${count} elements, ${elements.length} came.` });
    return textsOf(elements);
  }
  const format = DATATYPES.get(String(datatype));
  if (format === undefined) {
    const known = [...DATATYPES.keys(), 'BYTES'].join(', ');
    throw BadInput({ what: `Input "${name}": the datatype ${JSON.stringify(datatype ?? null)} is not known. Known are ${known}.` });
  }
  if (bytes.byteLength !== count * format.sizeBytes) {
    throw BadInput({ what: `Input "${name}": ${datatype} of shape ${told} has ${count * format.sizeBytes} bytes, ${bytes.byteLength} came.` });
  }
  return { data: exactJson(`[${await numbersText(format, bytes)}]`) };
}

/** The values of a raw tensor with commas between them. Others have their turn meanwhile. */
export async function numbersText(format: Datatype, bytes: Uint8Array): Promise<string> {
  const stepBytes = NUMBERS_AT_ONCE * format.sizeBytes;
  const pieces: string[] = [];
  for (let at = 0; at < bytes.byteLength; at += stepBytes) {
    if (at > 0) await setImmediate();
    pieces.push((unpackValues(format, bytes.subarray(at, at + stepBytes)) ?? []).join(','));
  }
  return pieces.join(',');
}

function textsOf(elements: readonly Uint8Array[]): { readonly data: readonly string[]; readonly remark?: Record<string, unknown> } {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return { data: elements.map((element) => strict.decode(element)) };
  } catch {
    return { data: elements.map((element) => Buffer.from(element).toString('base64')), remark: BASE64 };
  }
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((dim) => Number.isSafeInteger(dim) && dim >= 0);
}
