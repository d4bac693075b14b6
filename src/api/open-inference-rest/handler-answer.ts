import { type BinaryOutputs, memberOf, mixedBody } from '../../inference/binary-tensors.js';
import { writeBytesElements } from '../../inference/bytes-elements.js';
import { packValues } from '../../inference/datatype.js';
import { writeExactJson } from '../../inference/exact-json.js';
import type { HeaderPair } from '../../inference/request.js';
import { jsonOf } from './json-of.js';
import { outputData } from './output-data.js';

/** Which outputs were asked for, and which of them as bytes. */
export interface AskedOutputs {
  /** undefined: all. */
  readonly names: readonly string[] | undefined;
  readonly isBinary: BinaryOutputs;
}

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

function bytesOf(datatype: unknown, data: unknown): Uint8Array | undefined {
  if (!Array.isArray(data)) return undefined;
  const read = outputData(datatype, data);
  if (read.kind === 'elements') return writeBytesElements(read.elements);
  return read.kind === 'values' ? packValues(read.format, read.values) : undefined;
}
