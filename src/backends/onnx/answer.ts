import { HandlerFailed } from '../../errors/backend.js';
import { mixedBody } from '../../inference/binary-tensors.js';
import { writeBytesElements } from '../../inference/bytes-elements.js';
import type { HeaderPair } from '../../inference/request.js';
import type { ThreadAnswer } from '../thread-messages.js';
import { ELEMENT_FORMATS } from './element-type.js';
import type { Postprocess, Processed } from './pipeline/postprocess.js';
import type { RequestForm, WantedOutputs } from './request-form.js';
import type { RunItem } from './request-items.js';
import { hasBatchAxis, type ModelSignature } from './signature.js';
import { type NamedTensors, type Tensor, toFlatJson, toNestedJson, toRawBytes } from './tensors.js';

/** What has to be known of a model to write its answers. */
export interface AnswerWriting {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly signature: ModelSignature;
  readonly postprocess: Postprocess;
  /** The output that is post-processed and, where there is post-processing, the only one answered. */
  readonly output: string;
}

/** One example's outputs, ready to be written. */
type Result = { readonly name: string; readonly processed: Processed; readonly added: boolean };

/** Writes the answer in the form that the request had. Throws HandlerFailed when post-processing cannot take the outputs. */
export function writeAnswer(
  form: RequestForm,
  items: readonly RunItem[],
  outputs: readonly NamedTensors[],
  accept: string,
  model: AnswerWriting,
): ThreadAnswer {
  const results = items.map((item, index) => toResults(item, outputs[index] ?? new Map(), model));
  if (form.kind === 'v1') return json(`{"predictions":[${results.map(exampleJson).join(',')}]}`);
  const [first = []] = results;
  if (form.kind === 'v2') return v2Answer(first, form.id, form.outputs, model);
  return (accept === 'application/octet-stream' ? raw(first[0]) : undefined) ?? json(exampleJson(first));
}

/** The media type a client asks for, bare and in lower case; '' when it names none or several. */
export function acceptOf(headers: readonly HeaderPair[]): string {
  const accept = headers.findLast(([name]) => name.toLowerCase() === 'accept')?.[1] ?? '';
  return accept.includes(',') ? '' : (accept.split(';')[0] ?? '').trim().toLowerCase();
}

/** Text of a post-processed answer in KServe v2: one JSON text per example, under this name. */
export const PREDICTIONS = 'predictions';

function toResults(item: RunItem, outputs: NamedTensors, { signature, postprocess, output }: AnswerWriting): readonly Result[] {
  const wanted = postprocess.isEmpty ? signature.outputs : signature.outputs.filter((spec) => spec.name === output);
  return wanted.map((spec) => {
    const tensor = outputs.get(spec.name);
    if (tensor === undefined) throw HandlerFailed({ status: 503, message: `The model gave no output "${spec.name}".` });
    const processed = postprocess.apply(tensor);
    const unstacks = item.added && hasBatchAxis(spec);
    return {
      name: postprocess.givesLabels ? PREDICTIONS : spec.name,
      processed,
      added: unstacks && (processed.kind === 'rows' || processed.tensor.dims[0] === 1),
    };
  });
}

/** A single output is its bare value, several are an object by name. */
function exampleJson(results: readonly Result[]): string {
  const [only] = results;
  if (only !== undefined && results.length === 1) return resultJson(only);
  return `{${results.map((result) => `${JSON.stringify(result.name)}:${resultJson(result)}`).join(',')}}`;
}

function resultJson({ processed, added }: Result): string {
  if (processed.kind === 'tensor') return toNestedJson(added ? withoutFirstAxis(processed.tensor) : processed.tensor);
  return added || processed.json.length === 1 ? (processed.json[0] ?? 'null') : `[${processed.json.join(',')}]`;
}

function withoutFirstAxis(tensor: Tensor): Tensor {
  return { ...tensor, dims: tensor.dims.slice(1) };
}

function v2Answer(results: readonly Result[], id: string | undefined, wanted: WantedOutputs, model: AnswerWriting): ThreadAnswer {
  const { names } = wanted;
  const given = names === undefined ? results : results.filter(({ name }) => names.includes(name));
  const parts: Uint8Array[] = [];
  const outputs = given.map((result) => {
    const { datatype, shape, data, bytes } = v2Values(result);
    const binary = wanted.isBinary(result.name) ? bytes() : undefined;
    if (binary !== undefined) parts.push(binary);
    const values = binary === undefined ? `"data":${data()}` : `"parameters":{"binary_data_size":${binary.byteLength}}`;
    return `{"name":${JSON.stringify(result.name)},"datatype":"${datatype}","shape":[${shape.join(',')}],${values}}`;
  });
  const head = id === undefined ? '' : `"id":${JSON.stringify(id)},`;
  const text = `{${head}"model_name":${JSON.stringify(model.modelName)},"model_version":${JSON.stringify(model.modelVersion)},"outputs":[${outputs.join(',')}]}`;
  if (parts.length === 0) return json(text);
  const { body, header } = mixedBody(text, parts);
  return { kind: 'answer', status: 200, reason: '', headers: [['content-type', 'application/octet-stream'], header], body };
}

interface V2Values {
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: () => string;
  readonly bytes: () => Uint8Array;
}

function v2Values({ processed, added }: Result): V2Values {
  if (processed.kind !== 'tensor') return v2Texts([processed.json.length], processed.json);
  const { tensor } = processed;
  const shape = added ? tensor.dims.slice(1) : tensor.dims;
  if (Array.isArray(tensor.data)) return v2Texts(shape, tensor.data);
  return { datatype: ELEMENT_FORMATS[tensor.type].datatype, shape, data: () => toFlatJson(tensor), bytes: () => toRawBytes(tensor) ?? new Uint8Array() };
}

function v2Texts(shape: readonly number[], texts: readonly string[]): V2Values {
  const bytes = (): Uint8Array => writeBytesElements(texts.map((text) => Buffer.from(text)));
  return { datatype: 'BYTES', shape, data: () => JSON.stringify(texts), bytes };
}

function raw(result: Result | undefined): ThreadAnswer | undefined {
  const tensor = result?.processed.kind === 'tensor' ? result.processed.tensor : undefined;
  const body = tensor === undefined ? undefined : toRawBytes(tensor);
  if (tensor === undefined || body === undefined) return undefined;
  const dims = result?.added === true ? tensor.dims.slice(1) : tensor.dims;
  const headers: HeaderPair[] = [
    ['content-type', 'application/octet-stream'],
    ['x-sconce-shape', dims.join(',')],
    ['x-sconce-datatype', ELEMENT_FORMATS[tensor.type].datatype],
  ];
  return { kind: 'answer', status: 200, reason: '', headers, body };
}

function json(body: string): ThreadAnswer {
  return { kind: 'answer', status: 200, reason: '', headers: [['content-type', 'application/json']], body };
}
