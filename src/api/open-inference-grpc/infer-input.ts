import { BadInput } from '../../errors/backend.js';
import { mixedBody } from '../../inference/binary-tensors.js';
import { readBytesElements, writeBytesElements } from '../../inference/bytes-elements.js';
import { DATATYPES, packValues } from '../../inference/datatype.js';
import type { HeaderPair, InputParameter } from '../../inference/request.js';
import type { InferParameter, ModelInferRequest, ModelInferRequest_InferInputTensor } from '../grpc-generated/open_inference_grpc.js';
import { numbersText } from '../open-inference-rest/handler-input.js';
import { valuesIn } from './contents.js';

/** A request's tensors as one input, and the headers that go with it. */
export interface InferInput {
  readonly input: InputParameter;
  readonly headers: readonly HeaderPair[];
}

type Tensor = ModelInferRequest_InferInputTensor;

/** Asks for every output as bytes. */
const BINARY_OUTPUTS = new Map<string, InferParameter>([['binary_data_output', { parameterChoice: { $case: 'boolParam', value: true } }]]);

/** For a model that takes tensors: KServe's body of JSON and bytes, whether the values came typed or raw. Throws BadInput. */
export function tensorInput(request: ModelInferRequest): InferInput {
  const bytes = request.inputs.map((tensor, index) => request.rawInputContents[index] ?? packed(tensor));
  const inputs = request.inputs.map((tensor, index) => {
    return `${head(tensor)},"parameters":{"binary_data_size":${bytes[index]?.byteLength ?? 0}}}`;
  });
  const parameters = new Map([...request.parameters, ...BINARY_OUTPUTS]);
  const outputs = request.outputs.map(({ name }) => ({ name }));
  const json = `{${idOf(request)}"parameters":${parametersJson(parameters)},"inputs":[${inputs.join(',')}],"outputs":${JSON.stringify(outputs)}}`;
  const { body, header } = mixedBody(json, bytes);
  return { input: { name: 'body', contentType: 'application/octet-stream', value: body }, headers: [header] };
}

/** For a handler: the JSON that TorchServe makes of a request, elements of BYTES in base64. What was asked for beside the inputs is told too. Rejects with BadInput. */
export async function handlerInput(request: ModelInferRequest): Promise<InferInput> {
  const inputs: string[] = [];
  for (const [index, tensor] of request.inputs.entries()) {
    const data = await jsonData(tensor, request.rawInputContents[index]);
    const parameters = tensor.parameters.size === 0 ? '' : `,"parameters":${parametersJson(tensor.parameters)}`;
    inputs.push(`${head(tensor)}${data === undefined ? '' : `,"data":${data}`}${parameters}}`);
  }
  const parameters = request.parameters.size === 0 ? '' : `,"parameters":${parametersJson(request.parameters)}`;
  const outputs = request.outputs.map((output) => `{"name":${JSON.stringify(output.name)},"parameters":${parametersJson(output.parameters)}}`);
  const wanted = outputs.length === 0 ? '' : `,"outputs":[${outputs.join(',')}]`;
  const name = JSON.stringify(request.modelName);
  const json = `{"id":${JSON.stringify(request.id)},"model_name":${name},"inputs":[${inputs.join(',')}]${parameters}${wanted}}`;
  return { input: { name: 'body', contentType: 'application/json', value: Buffer.from(json) }, headers: [] };
}

/** Throws BadInput where the two forms are mixed. */
export function assertOneForm({ inputs, rawInputContents }: ModelInferRequest): void {
  if (rawInputContents.length === 0) return;
  if (rawInputContents.length !== inputs.length) {
    throw BadInput({ what: `raw_input_contents has ${rawInputContents.length} elements for ${inputs.length} inputs.` });
  }
  const both = inputs.find(({ contents }) => contents !== undefined && Object.values(contents).some((list: readonly unknown[]) => list.length > 0));
  if (both !== undefined) throw BadInput({ what: `Input "${both.name}": its values are in contents and in raw_input_contents.` });
}

/** Typed contents as bytes. */
function packed({ name, datatype, contents }: Tensor): Uint8Array {
  if (datatype === 'BYTES') return writeBytesElements(contents?.bytesContents ?? []);
  const format = DATATYPES.get(datatype);
  if (format === undefined) throw unknownDatatype(name, datatype);
  if (datatype === 'FP16') throw BadInput({ what: `Input "${name}": FP16 has no typed contents, it goes in raw_input_contents.` });
  const values = valuesIn(datatype, contents);
  if (values === undefined) throw BadInput({ what: `Input "${name}": not all values are ${datatype}.` });
  return packValues(format, values);
}

/** undefined where TorchServe leaves `data` out: a datatype that it doesn't know. */
async function jsonData(tensor: Tensor, raw: Uint8Array | undefined): Promise<string | undefined> {
  const { name, datatype, contents } = tensor;
  if (datatype === 'BYTES') {
    const elements = raw === undefined ? (contents?.bytesContents ?? []) : readBytesElements(raw);
    if (elements === undefined) throw BadInput({ what: `Input "${name}": the lengths of its BYTES elements do not add up.` });
    return JSON.stringify(elements.map((element) => Buffer.from(element.buffer, element.byteOffset, element.byteLength).toString('base64')));
  }
  const format = DATATYPES.get(datatype);
  if (format === undefined) {
    if (raw !== undefined) throw unknownDatatype(name, datatype);
    return undefined;
  }
  if (raw === undefined) {
    if (datatype === 'FP16') return undefined;
    const values = valuesIn(datatype, contents);
    if (values === undefined) throw BadInput({ what: `Input "${name}": not all values are ${datatype}.` });
    return numbersJson(name, values.join());
  }
  assertCount(tensor, raw, format.sizeBytes);
  return numbersJson(name, await numbersText(format, raw));
}

function numbersJson(name: string, values: string): string {
  if (/NaN|Infinity/.test(values)) {
    throw BadInput({ what: `Input "${name}": a handler gets its values as JSON, which has no NaN and no infinity.` });
  }
  return `[${values}]`;
}

function assertCount({ name, datatype, shape }: Tensor, raw: Uint8Array, sizeBytes: number): void {
  const wantedBytes = shape.reduce((product, dim) => product * dim, 1n) * BigInt(sizeBytes);
  if (BigInt(raw.byteLength) === wantedBytes && shape.every((dim) => dim >= 0n)) return;
  throw BadInput({ what: `Input "${name}": ${datatype} of shape [${shape.join(', ')}] has ${wantedBytes} bytes, ${raw.byteLength} came.` });
}

function unknownDatatype(name: string, datatype: string) {
  return BadInput({
    what: `Input "${name}": the datatype ${JSON.stringify(datatype)} is not known. Known are ${[...DATATYPES.keys(), 'BYTES'].join(', ')}.`,
  });
}

/** An entry of `inputs`, still open. */
function head({ name, shape, datatype }: Tensor): string {
  return `{"name":${JSON.stringify(name)},"shape":[${shape.join(',')}],"datatype":${JSON.stringify(datatype)}`;
}

function idOf({ id }: ModelInferRequest): string {
  return id === '' ? '' : `"id":${JSON.stringify(id)},`;
}

function parametersJson(parameters: ReadonlyMap<string, InferParameter>): string {
  const members = [...parameters].map(([name, { parameterChoice }]) => {
    const value = parameterChoice?.value;
    return `${JSON.stringify(name)}:${typeof value === 'bigint' ? value : JSON.stringify(value ?? null)}`;
  });
  return `{${members.join(',')}}`;
}
