import { z } from 'zod';
import { InferAnswerInvalid } from '../../errors/backend.js';
import { binarySizeOf, mixedBodyOf } from '../../inference/binary-tensors.js';
import { readBytesElements, writeBytesElements } from '../../inference/bytes-elements.js';
import { DATATYPES, packValues, type TensorValue, unpackValues } from '../../inference/datatype.js';
import { parseLenientJson } from '../../inference/lenient-json.js';
import type { ResponsePart } from '../../inference/part.js';
import type { ModelInferRequest, ModelInferResponse, ModelInferResponse_InferOutputTensor } from '../grpc-generated/open_inference_grpc.js';
import { bytesContentsOf, contentsOf, hasContents } from './contents.js';

const textShape = z.string().nullish();
const answerShape = z.object({
  id: textShape,
  model_name: textShape,
  model_version: z.union([z.string(), z.number()]).nullish(),
  outputs: z.array(
    z.object({
      name: z.string(),
      datatype: z.string(),
      shape: z.array(z.int()),
      data: z.array(z.unknown()).optional(),
      parameters: z.unknown().optional(),
    }),
  ),
});
type Output = z.output<typeof answerShape>['outputs'][number];

/** The values of an output: bytes as they go raw, or what they are. */
type Values =
  | { readonly kind: 'packed'; readonly bytes: Uint8Array }
  | { readonly kind: 'values'; readonly values: readonly TensorValue[] }
  | { readonly kind: 'elements'; readonly elements: readonly Uint8Array[] };

/** The lenient reader is slow: it reads what Python's `str` gives, not data. */
const MAX_LENIENT_CHARACTERS = 65_536;
const DEEPEST = 32;

/** What a handler or a model said, as a message: raw where the request was raw, or where an output has no typed contents. Throws InferAnswerInvalid. */
export function inferResponse({ headers, body }: ResponsePart, request: ModelInferRequest): ModelInferResponse {
  const mixed = mixedBodyOf(headers, body);
  if (mixed === 'broken') throw InferAnswerInvalid({ what: 'inference-header-content-length is longer than the answer.' });
  const { json, bytes } = mixed ?? { json: body, bytes: new Uint8Array() };
  const read = answerShape.safeParse(jsonOf(Buffer.from(json.buffer, json.byteOffset, json.byteLength).toString()));
  if (!read.success) throw InferAnswerInvalid({ what: read.error.issues[0]?.message ?? 'it is no JSON.' });
  const { id, model_name, model_version, outputs } = read.data;
  let at = 0;
  const values = outputs.map((output): Values => {
    const sizeBytes = binarySizeOf(output.parameters);
    if (sizeBytes === undefined) return valuesOf(output);
    if (at + sizeBytes > bytes.byteLength) throw InferAnswerInvalid({ what: `output "${output.name}" has fewer bytes than it says.` });
    at += sizeBytes;
    return { kind: 'packed', bytes: bytes.subarray(at - sizeBytes, at) };
  });
  const goesRaw = request.rawInputContents.length > 0 || outputs.some(({ datatype }) => !hasContents(datatype));
  return {
    modelName: model_name ?? request.modelName,
    modelVersion: String(model_version ?? request.modelVersion),
    id: id ?? request.id,
    parameters: new Map(),
    outputs: outputs.map((output, index) => tensorOf(output, goesRaw ? undefined : values[index])),
    rawOutputContents: goesRaw ? outputs.map((output, index) => rawOf(output, values[index])) : [],
  };
}

/** `values` undefined: they go raw. */
function tensorOf({ name, datatype, shape }: Output, values: Values | undefined): ModelInferResponse_InferOutputTensor {
  const tensor = { name, datatype, shape: shape.map(BigInt), parameters: new Map() };
  if (values === undefined) return { ...tensor, contents: undefined };
  switch (values.kind) {
    case 'elements':
      return { ...tensor, contents: bytesContentsOf(values.elements) };
    case 'values':
      return { ...tensor, contents: contentsOf(datatype, values.values) };
    case 'packed':
      return { ...tensor, contents: unpacked(name, datatype, values.bytes) };
  }
}

function unpacked(name: string, datatype: string, bytes: Uint8Array) {
  const format = DATATYPES.get(datatype);
  const contents = format === undefined ? readBytesElements(bytes) : unpackValues(format, bytes);
  if (contents === undefined) throw InferAnswerInvalid({ what: `the bytes of output "${name}" are no ${datatype}.` });
  return format === undefined ? bytesContentsOf(contents as readonly Uint8Array[]) : contentsOf(datatype, contents as readonly TensorValue[]);
}

function rawOf({ datatype }: Output, values: Values | undefined): Uint8Array {
  if (values?.kind === 'packed') return values.bytes;
  if (values?.kind === 'elements') return writeBytesElements(values.elements);
  const format = DATATYPES.get(datatype);
  return format === undefined || values === undefined ? new Uint8Array() : packValues(format, values.values);
}

function valuesOf({ name, datatype, data }: Output): Values {
  if (data === undefined) throw InferAnswerInvalid({ what: `output "${name}" has no data.` });
  const flat = data.flat(DEEPEST);
  if (datatype === 'BYTES') return { kind: 'elements', elements: flat.map((value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))) };
  const format = DATATYPES.get(datatype);
  if (format === undefined) throw InferAnswerInvalid({ what: `output "${name}" has the datatype ${datatype}, which is not known.` });
  const values = flat.map((value) => {
    const fitting = format.fit(value);
    if (fitting === undefined) throw InferAnswerInvalid({ what: `output "${name}": ${JSON.stringify(value)?.slice(0, 40)} is no ${datatype}.` });
    return fitting;
  });
  return { kind: 'values', values };
}

/** The value of strict JSON, or of lenient JSON where it is short; undefined for anything else. Whole numbers of 16 digits and more come as text. */
function jsonOf(text: string): unknown {
  const exact = /\d{16}/.test(text) ? text.replace(STRING_OR_NUMBER, (token) => (/^-?\d{16,}$/.test(token) ? `"${token}"` : token)) : text;
  try {
    return JSON.parse(exact);
  } catch {
    if (text.length > MAX_LENIENT_CHARACTERS) return undefined;
  }
  try {
    return parseLenientJson(exact);
  } catch {
    return undefined;
  }
}

const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
