import { type BinaryOutputs, memberOf, mixedBody } from '../../inference/binary-tensors.js';
import { writeBytesElements } from '../../inference/bytes-elements.js';
import { DATATYPES } from '../../inference/datatype.js';
import { exactNumber, parseExactJson, writeExactJson } from '../../inference/exact-json.js';
import type { HeaderPair } from '../../inference/request.js';

/** Which outputs were asked for, and which of them as bytes. */
export interface AskedOutputs {
  /** undefined: all. */
  readonly names: readonly string[] | undefined;
  readonly isBinary: BinaryOutputs;
}

/** Nested `data` deeper than this has no binary form. */
const DEEPEST = 32;

/**
 * A handler's answer with the outputs that were asked for, and as bytes where that was asked for. undefined where it is to be sent as it is: an answer that
 * isn't KServe v2's, as TorchServe's plain handlers give, or one in which nothing changes. An output whose values its datatype can't hold stays JSON.
 */
export function answerAsAsked(
  body: Uint8Array,
  { names, isBinary }: AskedOutputs,
): { readonly body: Uint8Array; readonly headers: readonly HeaderPair[] } | undefined {
  const answer = jsonOf(body);
  const outputs = memberOf(answer, 'outputs');
  if (typeof answer !== 'object' || !Array.isArray(outputs) || !outputs.every((output) => typeof memberOf(output, 'name') === 'string')) return undefined;
  const selected = names === undefined ? outputs : outputs.filter((output) => names.includes(String(memberOf(output, 'name'))));
  // A kservev2 envelope names outputs after the inputs, whatever was asked for: TorchServe answers with all of them.
  const given: readonly unknown[] = selected.length === 0 ? outputs : selected;
  const parts: Uint8Array[] = [];
  const written = given.map((output) => {
    const bytes = isBinary(String(memberOf(output, 'name'))) ? bytesOf(memberOf(output, 'datatype'), memberOf(output, 'data')) : undefined;
    if (bytes === undefined) return output;
    parts.push(bytes);
    const { data: _, parameters, ...head } = Object(output);
    return { ...head, parameters: { ...Object(parameters), binary_data_size: bytes.byteLength } };
  });
  if (parts.length === 0 && given.length === outputs.length) return undefined;
  const text = writeExactJson({ ...answer, outputs: written });
  if (parts.length === 0) return { body: Buffer.from(text), headers: [['content-type', 'application/json']] };
  const mixed = mixedBody(text, parts);
  return { body: mixed.body, headers: [['content-type', 'application/octet-stream'], mixed.header] };
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return parseExactJson(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  } catch {
    return undefined;
  }
}

function bytesOf(datatype: unknown, data: unknown): Uint8Array | undefined {
  if (!Array.isArray(data)) return undefined;
  const flat: readonly unknown[] = data.some(Array.isArray) ? data.flat(DEEPEST) : data;
  if (datatype === 'BYTES')
    return writeBytesElements(flat.map((value) => Buffer.from(typeof value === 'string' ? (exactNumber(value) ?? value) : writeExactJson(value))));
  const format = DATATYPES.get(String(datatype));
  if (format === undefined) return undefined;
  const bytes = new Uint8Array(flat.length * format.sizeBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of flat.entries()) {
    const fitting = format.fit(exactNumber(value) ?? value);
    if (fitting === undefined) return undefined;
    format.write(view, index * format.sizeBytes, fitting);
  }
  return bytes;
}
