import { BadInput } from '../../errors/backend.js';
import { readBytesElements } from '../../inference/bytes-elements.js';
import { ELEMENT_FORMATS } from './element-type.js';
import type { ImageReader } from './pipeline/image.js';
import type { ExampleSources, InputSource, RequestForm } from './request-form.js';
import { describeSpec, hasBatchAxis, isJoinable, type ModelSignature, type TensorSpec } from './signature.js';
import { type FittedTensor, tensorFromBytes, tensorFromJson, tensorFromPacked, tensorFromShapedJson } from './tensor-values.js';
import { joinRows, type NamedTensors } from './tensors.js';

/** The inputs of one run that a request asks for. */
export interface RunItem {
  readonly feeds: NamedTensors;
  /** Length of the batch axis; 1 for a model without one. */
  readonly rows: number;
  /** The inputs came without their batch axis: the answer goes without it too. */
  readonly added: boolean;
}

/** What turns sources into tensors: the model's inputs and, where its pipeline has one, the image reader of one of them. */
export interface InputReading {
  readonly signature: ModelSignature;
  readonly image: { readonly input: string; readonly reader: ImageReader } | undefined;
}

/** Turns a request's sources into tensors, an item per example. Rejects with BadInput. */
export function toItems(form: RequestForm, reading: InputReading): Promise<readonly RunItem[]> {
  return Promise.all(form.examples.map((example) => toItem(example, reading, form.kind === 'v1')));
}

async function toItem(sources: ExampleSources, reading: InputReading, isInstance: boolean): Promise<RunItem> {
  const { signature } = reading;
  const inputs = await Promise.all(signature.inputs.map(async (spec) => ({ spec, ...(await toTensor(spec, sources.get(spec.name), reading)) })));
  const counted = inputs.filter(({ spec }) => hasBatchAxis(spec));
  const rows = counted[0]?.tensor.dims[0] ?? 1;
  if (isJoinable(signature) && counted.some(({ tensor }) => tensor.dims[0] !== rows)) {
    const each = counted.map(({ spec, tensor }) => `"${spec.name}" has ${tensor.dims[0]}`).join(', ');
    throw BadInput({ what: `The inputs differ in their number of rows: ${each}.` });
  }
  if (isInstance && counted.length > 0 && rows !== 1) throw BadInput({ what: 'Each of "instances" has to be one example; send more instances instead.' });
  const feeds = new Map(inputs.map(({ spec, tensor }) => [spec.name, tensor]));
  return { feeds, rows, added: isInstance || (counted.length > 0 && counted.every(({ added }) => added)) };
}

async function toTensor(spec: TensorSpec, source: InputSource | undefined, { image }: InputReading): Promise<FittedTensor> {
  if (source === undefined) throw BadInput({ what: `Input "${spec.name}" is missing: expected ${describeSpec(spec)}.` });
  if (image?.input === spec.name) {
    const pictures = picturesOf(spec, source);
    if (pictures !== undefined) {
      const tensors = await Promise.all(pictures.list.map((bytes) => image.reader.read(bytes)));
      return { tensor: joinRows(tensors), added: pictures.alone };
    }
  }
  switch (source.kind) {
    case 'json':
      return tensorFromJson(spec, source.value);
    case 'bytes':
      return tensorFromBytes(spec, source.bytes);
    case 'packed':
    case 'shaped': {
      const { datatype } = ELEMENT_FORMATS[spec.type];
      if (source.datatype !== datatype) throw BadInput({ what: `Input "${spec.name}": expected datatype ${datatype}, got ${source.datatype}.` });
      return source.kind === 'packed' ? tensorFromPacked(spec, source.shape, source.bytes) : tensorFromShapedJson(spec, source.shape, source.data);
    }
  }
}

/** The encoded images of a source: bytes, or base64 strings in JSON. undefined when the source holds values of a tensor already. */
function picturesOf(spec: TensorSpec, source: InputSource): { readonly list: readonly Uint8Array[]; readonly alone: boolean } | undefined {
  if (source.kind === 'bytes') return { list: [source.bytes], alone: true };
  if (source.kind === 'packed') {
    if (source.datatype !== 'BYTES') return undefined;
    const list = readBytesElements(source.bytes);
    if (list === undefined || list.length === 0) throw BadInput({ what: `Input "${spec.name}": the lengths of its BYTES elements do not add up.` });
    return { list, alone: false };
  }
  const value = source.kind === 'json' ? source.value : source.datatype === 'BYTES' ? source.data : undefined;
  if (typeof value === 'string') return { list: [fromBase64(spec, value)], alone: true };
  if (Array.isArray(value) && value.length > 0 && value.every((entry) => typeof entry === 'string')) {
    return { list: value.map((text) => fromBase64(spec, text)), alone: false };
  }
  return undefined;
}

/** Takes a data URL too. */
function fromBase64(spec: TensorSpec, text: string): Uint8Array {
  const bare = /^data:[^,]{0,200},/.test(text) ? text.slice(text.indexOf(',') + 1) : text;
  const bytes = Buffer.from(bare, 'base64');
  if (bytes.byteLength === 0) throw BadInput({ what: `Input "${spec.name}": expected an image in base64.` });
  return bytes;
}
