import { z } from 'zod';
import { InferAnswerInvalid } from '../../errors/backend.js';
import { binarySizeOf, mixedBodyOf } from '../../inference/binary-tensors.js';
import { readBytesElements, writeBytesElements } from '../../inference/bytes-elements.js';
import { DATATYPES, packValues, unpackValues } from '../../inference/datatype.js';
import { exactNumber, parseExactJson } from '../../inference/exact-json.js';
import { parseLenientJson } from '../../inference/lenient-json.js';
import type { ResponsePart } from '../../inference/part.js';
import type {
  InferTensorContents,
  ModelInferRequest,
  ModelInferResponse,
  ModelInferResponse_InferOutputTensor,
} from '../grpc-generated/open_inference_grpc.js';
import { type OutputData, outputData } from '../open-inference-rest/output-data.js';
import { bytesContentsOf, contentsOf, hasContents } from './contents.js';

/** A long number counts as its digits. */
const textShape = z.string().transform((text) => exactNumber(text) ?? text);
const answerShape = z.object({
  id: textShape.nullish(),
  model_name: textShape.nullish(),
  model_version: z.union([textShape, z.number()]).nullish(),
  outputs: z.array(
    z.object({
      name: textShape,
      datatype: textShape,
      shape: z.array(z.int()),
      data: z.array(z.unknown()).optional(),
      parameters: z.unknown().optional(),
    }),
  ),
});
type Output = z.output<typeof answerShape>['outputs'][number];

/** The values of an output: bytes as they go raw, or what they are. */
type Values = { readonly kind: 'packed'; readonly bytes: Uint8Array } | Extract<OutputData, { kind: 'elements' | 'values' }>;

/** The lenient reader is slow: it reads what Python's `str` gives, not data. */
const MAX_LENIENT_CHARACTERS = 65_536;

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
    rawOutputContents: goesRaw ? values.map(rawOf) : [],
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

function unpacked(name: string, datatype: string, bytes: Uint8Array): InferTensorContents {
  if (datatype === 'BYTES') {
    const elements = readBytesElements(bytes);
    if (elements !== undefined) return bytesContentsOf(elements);
  } else {
    const format = DATATYPES.get(datatype);
    const values = format && unpackValues(format, bytes);
    if (values !== undefined) return contentsOf(datatype, values);
  }
  throw InferAnswerInvalid({ what: `the bytes of output "${name}" are no ${datatype}.` });
}

function rawOf(values: Values): Uint8Array {
  switch (values.kind) {
    case 'packed':
      return values.bytes;
    case 'elements':
      return writeBytesElements(values.elements);
    case 'values':
      return packValues(values.format, values.values);
  }
}

function valuesOf({ name, datatype, data }: Output): Values {
  if (data === undefined) throw InferAnswerInvalid({ what: `output "${name}" has no data.` });
  const read = outputData(datatype, data);
  if (read.kind === 'unknown datatype') throw InferAnswerInvalid({ what: `output "${name}" has the datatype ${datatype}, which is not known.` });
  if (read.kind === 'unfit') throw InferAnswerInvalid({ what: `output "${name}": ${JSON.stringify(read.value)?.slice(0, 40)} is no ${datatype}.` });
  return read;
}

/** The value of JSON as Python's `json.dumps` gives it, or of lenient JSON where it is short; undefined for anything else. */
function jsonOf(text: string): unknown {
  try {
    return parseExactJson(text);
  } catch {
    if (text.length > MAX_LENIENT_CHARACTERS) return undefined;
  }
  try {
    return parseLenientJson(text.replace(STRING_OR_NUMBER, (token) => (/^-?\d{16,}$/.test(token) ? `"${token}"` : token)));
  } catch {
    return undefined;
  }
}

/** The lenient reader would round whole numbers of 16 digits and more. */
const STRING_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
