import { BadInput } from '../../errors/backend.js';
import { type BinaryOutputs, binaryOutputsOf, memberOf, mixedBodyOf, rangesOf } from '../../inference/binary-tensors.js';
import type { HeaderPair, InputParameter } from '../../inference/request.js';
import { describeSpec, type ModelSignature } from './signature.js';

/** Where the values of one input come from. */
export type InputSource =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'shaped'; readonly datatype: string; readonly shape: readonly number[]; readonly data: readonly unknown[] }
  | { readonly kind: 'packed'; readonly datatype: string; readonly shape: readonly number[]; readonly bytes: Uint8Array }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** The sources of one run's inputs, by input name. */
export type ExampleSources = ReadonlyMap<string, InputSource>;

/**
 * A request read down to its values. `plain`: one example or one stack of rows. `v1`: KServe v1, an example per instance.
 * `v2`: KServe v2, with the id and the outputs it asked for.
 */
export type RequestForm =
  | { readonly kind: 'plain'; readonly examples: readonly ExampleSources[] }
  | { readonly kind: 'v1'; readonly examples: readonly ExampleSources[] }
  | { readonly kind: 'v2'; readonly examples: readonly ExampleSources[]; readonly id: string | undefined; readonly outputs: WantedOutputs };

/** Which outputs a KServe v2 request asked for, and which of them as bytes. */
export interface WantedOutputs {
  /** undefined: all. */
  readonly names: readonly string[] | undefined;
  readonly isBinary: BinaryOutputs;
}

type Parsed = { readonly json: unknown } | { readonly bytes: Uint8Array };

/** Names under which TorchServe's clients send a whole body. */
const BODY_NAMES = ['data', 'body'];

/**
 * Reads a request's parameters: a whole body (`data`, `body`, or a single parameter of any other name) or one parameter per model input.
 * Of the signature's outputs only the names count: those that the answer can have. `headers` tell where the JSON of a KServe v2 body with binary tensors ends. Throws BadInput when the JSON is broken or names nothing that the model takes.
 */
export function readForm(parameters: readonly InputParameter[], signature: ModelSignature, headers: readonly HeaderPair[] = []): RequestForm {
  const names = new Set(signature.inputs.map((spec) => spec.name));
  const named = parameters.filter((parameter) => names.has(parameter.name));
  if (named.length > 0) {
    return { kind: 'plain', examples: [new Map(named.map((parameter) => [parameter.name, toSource(unwrapped(parse(parameter)))]))] };
  }
  const body = BODY_NAMES.map((name) => parameters.find((parameter) => parameter.name === name)).find((found) => found !== undefined) ?? only(parameters);
  if (body === undefined) throw BadInput({ what: `The request has no input; JSON needs the header "content-type: application/json". ${wanted(signature)}` });
  const mixed = mixedBodyOf(headers, body.value);
  if (mixed === 'broken') throw BadInput({ what: 'inference-header-content-length does not say where the JSON of the body ends.' });
  if (mixed !== undefined) return readMixed(parse({ ...body, contentType: 'application/json', value: mixed.json }), mixed.bytes, signature);
  const parsed = parse(body);
  return 'json' in parsed ? readJson(parsed.json, signature) : { kind: 'plain', examples: [forFirst(signature, { kind: 'bytes', bytes: parsed.bytes })] };
}

/** KServe v2 with binary tensors. */
function readMixed(parsed: Parsed, bytes: Uint8Array, signature: ModelSignature): RequestForm {
  const json = 'json' in parsed ? parsed.json : undefined;
  if (!isRecord(json) || !Array.isArray(json.inputs)) throw BadInput({ what: 'The JSON before the binary tensors needs "inputs", an array.' });
  return readV2(json, json.inputs, signature, bytes);
}

function only(parameters: readonly InputParameter[]): InputParameter | undefined {
  return parameters.length === 1 ? parameters[0] : undefined;
}

/** JSON where the media type says so; where there is none, JSON if it reads as an array or object. */
function parse({ name, contentType, value }: InputParameter): Parsed {
  const isJson = contentType === 'application/json' || contentType.endsWith('+json');
  if (!isJson && !(contentType === '' && looksLikeJson(value)) && !(contentType.startsWith('text/') && looksLikeJson(value))) return { bytes: value };
  const text = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString();
  try {
    return { json: JSON.parse(text) };
  } catch (error) {
    if (!isJson) return { bytes: value };
    throw BadInput({ what: `The JSON of "${name}" cannot be read: ${error instanceof Error ? error.message : 'it is broken'}` }, error);
  }
}

const OPENERS = new Set([0x5b, 0x7b]);
const CLOSERS = new Set([0x5d, 0x7d]);
const isSpace = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

function looksLikeJson(bytes: Uint8Array): boolean {
  let start = 0;
  let end = bytes.byteLength - 1;
  while (start < end && isSpace(bytes[start])) start += 1;
  while (end > start && isSpace(bytes[end])) end -= 1;
  return OPENERS.has(bytes[start] ?? 0) && CLOSERS.has(bytes[end] ?? 0);
}

/** Wrappers within wrappers (`{"inputs": {"data": …}}`) are opened so many times. */
const DEEPEST_WRAPPER = 4;

function readJson(json: unknown, signature: ModelSignature, depth = 0): RequestForm {
  if (!isRecord(json)) return plain(forFirst(signature, { kind: 'json', value: json }));
  if (depth > DEEPEST_WRAPPER) throw BadInput({ what: `The body's values are nested too deep. ${wanted(signature)}` });
  // First of all, since an input may be named "inputs": no tensor's values are objects with names.
  if (Array.isArray(json.inputs) && json.inputs.some((input) => isRecord(input) && 'name' in input)) return readV2(json, json.inputs, signature);
  const byName = readNamed(json, signature);
  if (byName !== undefined) return plain(byName);
  if (Array.isArray(json.instances)) return { kind: 'v1', examples: json.instances.map((instance) => readInstance(instance, signature)) };
  const wrapper = ['inputs', ...BODY_NAMES].find((name) => Object.hasOwn(json, name));
  if (wrapper !== undefined) return readJson(json[wrapper], signature, depth + 1);
  if ('b64' in json) return plain(forFirst(signature, { kind: 'json', value: json.b64 }));
  throw BadInput({ what: `The body names none of the model's inputs. ${wanted(signature)}` });
}

function plain(example: ExampleSources): RequestForm {
  return { kind: 'plain', examples: [example] };
}

/** Values by input name, when at least one key is an input's name. */
function readNamed(json: Record<string, unknown>, { inputs }: ModelSignature): ExampleSources | undefined {
  const found = inputs.filter((spec) => Object.hasOwn(json, spec.name));
  return found.length === 0 ? undefined : new Map(found.map((spec) => [spec.name, { kind: 'json', value: unwrapB64(json[spec.name]) }]));
}

function readInstance(instance: unknown, signature: ModelSignature): ExampleSources {
  const byName = isRecord(instance) ? readNamed(instance, signature) : undefined;
  if (byName !== undefined) return byName;
  const value = unwrapB64(isRecord(instance) ? (instance.data ?? instance.body ?? instance) : instance);
  return forFirst(signature, { kind: 'json', value });
}

function readV2(json: Record<string, unknown>, inputs: readonly unknown[], signature: ModelSignature, binary: Uint8Array = NO_BYTES): RequestForm {
  const sources = new Map<string, InputSource>();
  const ranges = rangesOf(inputs, binary.byteLength);
  for (const [index, input] of inputs.entries()) {
    if (!isRecord(input) || typeof input.name !== 'string') throw BadInput({ what: 'Each entry of "inputs" needs a "name".' });
    const { name, shape, datatype, data } = input;
    if (!signature.inputs.some((spec) => spec.name === name)) throw BadInput({ what: `The model has no input "${name}". ${wanted(signature)}` });
    if (sources.has(name)) throw BadInput({ what: `Input "${name}" was sent twice.` });
    if (!isShape(shape)) throw BadInput({ what: `Input "${name}": "shape" has to be an array of whole numbers above 0.` });
    if (typeof datatype !== 'string') throw BadInput({ what: `Input "${name}": "datatype" is missing.` });
    const range = ranges[index];
    if (range !== undefined) {
      sources.set(name, { kind: 'packed', datatype, shape, bytes: binary.subarray(range.start, range.end) });
      continue;
    }
    if (!Array.isArray(data)) throw BadInput({ what: `Input "${name}": "data" has to be an array.` });
    sources.set(name, { kind: 'shaped', datatype, shape, data });
  }
  const outputs = { names: readOutputNames(json.outputs, signature), isBinary: binaryOutputsOf(json) };
  return { kind: 'v2', examples: [sources], id: typeof json.id === 'string' ? json.id : undefined, outputs };
}

const NO_BYTES = new Uint8Array();

function readOutputNames(outputs: unknown, signature: ModelSignature): readonly string[] | undefined {
  if (!Array.isArray(outputs) || outputs.length === 0) return undefined;
  const known = signature.outputs.map((spec) => spec.name);
  return outputs.map((output) => {
    const name = isRecord(output) ? output.name : undefined;
    if (typeof name !== 'string' || !known.includes(name)) {
      throw BadInput({ what: `The model has no output ${JSON.stringify(name ?? null)}. It has ${known.map((one) => `"${one}"`).join(', ')}.` });
    }
    const classes = memberOf(memberOf(output, 'parameters'), 'classification');
    if (classes !== undefined && classes !== 0) throw BadInput({ what: `Output "${name}": the classification extension is not supported.` });
    return name;
  });
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((dim) => Number.isSafeInteger(dim) && dim > 0);
}

function forFirst({ inputs }: ModelSignature, source: InputSource): ExampleSources {
  const [first] = inputs;
  return first === undefined ? new Map() : new Map([[first.name, source]]);
}

function unwrapped(parsed: Parsed): Parsed {
  return 'json' in parsed ? { json: unwrapB64(parsed.json) } : parsed;
}

function toSource(parsed: Parsed): InputSource {
  return 'json' in parsed ? { kind: 'json', value: parsed.json } : { kind: 'bytes', bytes: parsed.bytes };
}

/** `{"b64": "…"}` stands for its string. */
function unwrapB64(value: unknown): unknown {
  return isRecord(value) && typeof value.b64 === 'string' ? value.b64 : value;
}

function wanted({ inputs }: ModelSignature): string {
  return `The model takes ${inputs.map((spec) => `"${spec.name}": ${describeSpec(spec)}`).join(', ')}.`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
