import { readdir } from 'node:fs/promises';
import type { InferenceSession } from 'onnxruntime-node';
import { BadInput, HandlerFailed, LoadFailed } from '../../errors/backend.js';
import { SconceError } from '../../errors/sconce-error.js';
import type { ServedSignature } from '../../inference/served-signature.js';
import { modelFile } from '../model-file.js';
import type { NativeGate } from '../native-gate.js';
import { NativeSession } from '../native-session.js';
import type { ThreadAnswer, ThreadRequest } from '../thread-messages.js';
import type { ThreadModel } from '../thread-server.js';
import { type AnswerWriting, acceptOf, PREDICTIONS, writeAnswer } from './answer.js';
import { RequestJoiner, type RunOutcome } from './batching.js';
import { isElementType } from './element-type.js';
import { ImageReader, planImage } from './pipeline/image.js';
import type { PipelineConfig } from './pipeline/pipeline-config.js';
import { Postprocess } from './pipeline/postprocess.js';
import { type RequestForm, readForm } from './request-form.js';
import { type InputReading, type RunItem, toItems } from './request-items.js';
import { type ModelSignature, servedTensor, type TensorSpec } from './signature.js';
import type { NamedTensors } from './tensors.js';

/** Everything a thread has to know to load an ONNX model. Survives structured cloning. */
export interface OnnxModelData {
  readonly modelName: string;
  readonly modelVersion: string;
  readonly directory: string;
  /** Path of the .onnx file inside the directory; undefined: the only one there is. */
  readonly file: string | undefined;
  readonly intraOpThreads: number;
  readonly onGpu: boolean;
  readonly maxImagePixels: number;
  readonly pipeline: PipelineConfig;
}

/** A request after reading: what to run, or why it cannot be. */
type Read = { readonly ok: true; readonly form: RequestForm; readonly items: readonly RunItem[] } | { readonly ok: false; readonly answer: ThreadAnswer };

/** An ONNX model on its thread: its session and its pipeline. */
export class OnnxModel implements ThreadModel {
  readonly #joiner: RequestJoiner;
  /** What requests may name. */
  readonly #readable: ModelSignature;

  private constructor(
    private readonly session: NativeSession,
    private readonly reading: InputReading,
    private readonly writing: AnswerWriting,
    joinRequests: boolean | undefined,
  ) {
    this.#joiner = new RequestJoiner(reading.signature, (feeds) => this.#runOnce(feeds), joinRequests);
    this.#readable = { inputs: reading.signature.inputs, outputs: servedOutputs(writing) };
  }

  /** Loads the session and everything the pipeline needs. Rejects with LoadFailed, or with ONNX Runtime's error. */
  static async open(data: OnnxModelData, gate: NativeGate): Promise<OnnxModel> {
    const { directory, pipeline } = data;
    const session = await openSession(data, gate);
    const signature = readSignature(session);
    const output = pipeline.output ?? signature.outputs[0]?.name ?? '';
    if (!signature.outputs.some((spec) => spec.name === output)) {
      throw LoadFailed({ status: 500, message: `model-config.yaml: pipeline.output: the model has no tensor output "${output}"` });
    }
    const image = await openImage(data, signature);
    const postprocess = await Postprocess.open(pipeline.postprocess, directory);
    const writing = { modelName: data.modelName, modelVersion: data.modelVersion, signature, postprocess, output };
    return new OnnxModel(session, { signature, image }, writing, pipeline.joinRequests);
  }

  /** The signature as clients see it. */
  get facts(): ServedSignature {
    const { signature, image } = this.reading;
    const inputs = signature.inputs.map((spec) => (spec.name === image?.input ? { name: spec.name, datatype: 'BYTES', shape: [-1] } : servedTensor(spec)));
    return { inputs, outputs: servedOutputs(this.writing).map(servedTensor) };
  }

  async run(requests: readonly ThreadRequest[], turn: Promise<void>): Promise<readonly ThreadAnswer[]> {
    // Pictures are decoded off this thread, so that the next batch's may be while this one's run; everything else waits for its turn.
    if (this.reading.image === undefined) await turn;
    const read = await Promise.all(requests.map((request) => this.#read(request)));
    await turn;
    const outcomes = await this.#joiner.runAll(read.flatMap((one) => (one.ok ? one.items : [])));
    let next = 0;
    return read.map((one, index) => {
      if (!one.ok) return one.answer;
      const own = outcomes.slice(next, next + one.items.length);
      next += one.items.length;
      return this.#write(requests[index], one, own);
    });
  }

  close(): Promise<void> {
    return this.session.release();
  }

  async #read(request: ThreadRequest): Promise<Read> {
    try {
      if (request.purpose === 'describe') return { ok: false, answer: this.#describe() };
      if (request.purpose === 'explain') throw BadInput({ what: 'An ONNX model gives no explanations.' });
      const form = readForm(request.inputs, this.#readable, request.headers);
      return { ok: true, form, items: await toItems(form, this.reading) };
    } catch (error) {
      return { ok: false, answer: toFailure(error) };
    }
  }

  #write(request: ThreadRequest | undefined, { form, items }: Extract<Read, { ok: true }>, outcomes: readonly RunOutcome[]): ThreadAnswer {
    try {
      const outputs = outcomes.map((outcome) => {
        if (outcome.ok) return outcome.outputs;
        throw runFailed(outcome.error);
      });
      return writeAnswer(form, items, outputs, acceptOf(request?.headers ?? []), this.writing);
    } catch (error) {
      return toFailure(error);
    }
  }

  #describe(): ThreadAnswer {
    return { kind: 'answer', status: 200, reason: '', headers: [['content-type', 'application/json']], body: JSON.stringify(this.facts) };
  }

  async #runOnce(feeds: NamedTensors): Promise<NamedTensors> {
    const results = await this.session.run(Object.fromEntries(feeds));
    return new Map(
      this.reading.signature.outputs.flatMap(({ name, type }) => {
        const result = results[name];
        return result === undefined ? [] : [[name, { type, dims: result.dims, data: result.data }]];
      }),
    );
  }
}

/** The outputs that answers have: a text per example where post-processing gives labels. */
function servedOutputs({ signature, postprocess, output }: AnswerWriting): readonly TensorSpec[] {
  if (postprocess.givesLabels) return [{ name: PREDICTIONS, type: 'string', dims: [''] }];
  return postprocess.isEmpty ? signature.outputs : signature.outputs.filter((spec) => spec.name === output);
}

async function openSession({ directory, file, intraOpThreads, onGpu }: OnnxModelData, gate: NativeGate): Promise<NativeSession> {
  const name = file ?? (await onlyModelFile(directory));
  const path = await modelFile(directory, name);
  if (path === undefined) throw LoadFailed({ status: 500, message: `The model file ${name} is not in the model's directory.` });
  const options: InferenceSession.SessionOptions = {
    intraOpNumThreads: intraOpThreads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
  };
  if (onGpu) {
    try {
      return await NativeSession.open(path, { ...options, executionProviders: ['cuda', 'cpu'] }, gate);
    } catch (error) {
      console.error(`The model runs on the CPU: ${error instanceof Error ? error.message : error}`);
    }
  }
  try {
    return await NativeSession.open(path, options, gate);
  } catch (error) {
    const message = error instanceof Error ? error.message.replaceAll(path, name) : String(error);
    throw LoadFailed({ status: 500, message }, error);
  }
}

async function onlyModelFile(directory: string): Promise<string> {
  const found = (await readdir(directory)).filter((name) => name.endsWith('.onnx'));
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  throw LoadFailed({ status: 500, message: `The model's directory needs one .onnx file, it has ${found.length}: name it as serializedFile in the manifest.` });
}

function readSignature({ inputs, outputs }: NativeSession): ModelSignature {
  const unreadable = inputs.find((input) => !input.isTensor || !isElementType(input.type));
  if (unreadable !== undefined) throw LoadFailed({ status: 500, message: `The model's input "${unreadable.name}" is of a kind that cannot be sent.` });
  return { inputs: inputs.flatMap(toSpec), outputs: outputs.flatMap(toSpec) };
}

function toSpec(metadata: InferenceSession.ValueMetadata): readonly TensorSpec[] {
  return metadata.isTensor && isElementType(metadata.type) ? [{ name: metadata.name, type: metadata.type, dims: metadata.shape }] : [];
}

async function openImage({ pipeline: { image }, maxImagePixels }: OnnxModelData, { inputs }: ModelSignature): Promise<InputReading['image']> {
  if (image === undefined) return undefined;
  const spec = image.input === undefined ? inputs[0] : inputs.find((input) => input.name === image.input);
  if (spec === undefined)
    throw LoadFailed({ status: 500, message: `model-config.yaml: pipeline.preprocess.image.input: the model has no input "${image.input ?? ''}"` });
  return { input: spec.name, reader: await ImageReader.open(planImage(image, spec, maxImagePixels)) };
}

/** ONNX Runtime's reason, without the place in its source and the node's name. */
function runFailed(error: unknown): SconceError {
  console.error(error);
  const text = error instanceof Error ? error.message : '';
  const said = text.includes('Status Message:') ? text.slice(text.lastIndexOf('Status Message:') + 'Status Message:'.length).trim() : text;
  const short = (said.split('\n')[0] ?? '')
    .replaceAll(/\S*onnxruntime\/\S+/g, '')
    .slice(0, 300)
    .trim();
  return HandlerFailed({ status: 503, message: short === '' ? 'Prediction failed' : `Prediction failed: ${short}` }, error);
}

function toFailure(error: unknown): ThreadAnswer {
  if (BadInput.is(error)) return { kind: 'invalid', what: error.message };
  if (error instanceof SconceError) return { kind: 'failed', status: error.rendering.http, message: error.message };
  console.error(error);
  return { kind: 'failed', status: 503, message: 'Prediction failed' };
}
