import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { NativeGate } from './native-gate.js';

/** A tensor on its way into or out of ONNX Runtime: flat, row-major; float16 as its bits, bool as a byte per value. */
export interface NativeTensor {
  /** ONNX Runtime's name of the element type, such as `float32`. */
  readonly type: string;
  readonly dims: readonly number[];
  readonly data: NativeData;
}

export type NativeData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | string[];

/** An ONNX Runtime session on a worker thread whose native calls pass the thread's gate. Calls run one after the other on the calling thread. */
export class NativeSession {
  readonly inputs: readonly InferenceSession.ValueMetadata[];
  /** Those that are tensors: a map or a sequence cannot be brought into JavaScript. */
  readonly outputs: readonly InferenceSession.TensorValueMetadata[];
  readonly #fetches: readonly string[];

  private constructor(
    private readonly session: InferenceSession,
    private readonly TensorClass: typeof Tensor,
    private readonly gate: NativeGate,
  ) {
    this.inputs = session.inputMetadata;
    this.outputs = session.outputMetadata.filter((output) => output.isTensor);
    this.#fetches = this.outputs.map((output) => output.name);
  }

  /** Loads a model file. Rejects with ONNX Runtime's error. The engine itself is loaded with the first call. */
  static async open(file: string, options: InferenceSession.SessionOptions, gate: NativeGate): Promise<NativeSession> {
    const { InferenceSession: Session, Tensor: TensorClass } = await import('onnxruntime-node');
    return new NativeSession(await through(gate, () => Session.create(file, options)), TensorClass, gate);
  }

  /** Runs the model once and gives its tensor outputs by name. Rejects with ONNX Runtime's error. */
  async run(feeds: Readonly<Record<string, NativeTensor>>): Promise<Record<string, NativeTensor>> {
    const given = Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, this.#toRuntime(tensor)]));
    const results = await through(this.gate, () => this.session.run(given, this.#fetches));
    return Object.fromEntries(Object.entries(results).map(([name, { type, dims, data }]) => [name, { type, dims, data: fromRuntime(data) }]));
  }

  release(): Promise<void> {
    return this.session.release();
  }

  #toRuntime({ type, dims, data }: NativeTensor): Tensor {
    // Where Node has a Float16Array, the runtime's constructor would make one of a half float's bits, which its native side then cannot read.
    const given = type === 'float16' ? 'uint16' : type;
    // The constructor checks that type, data and dims belong together; its signature is one per element type.
    const tensor: Tensor = new this.TensorClass(given as 'float32', data as Float32Array, dims);
    return type === 'float16' ? Object.assign(tensor, { type }) : tensor;
  }
}

/** Newer versions of Node give half floats as numbers; they become their bits again. */
function fromRuntime(data: unknown): NativeData {
  if (data instanceof Float32Array || data instanceof Float64Array || data instanceof BigInt64Array || data instanceof BigUint64Array) return data;
  if (data instanceof Int8Array || data instanceof Int16Array || data instanceof Int32Array) return data;
  if (data instanceof Uint8Array || data instanceof Uint16Array || data instanceof Uint32Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / Uint16Array.BYTES_PER_ELEMENT);
  return Array.isArray(data) ? data.map(String) : [];
}

/**
 * ONNX Runtime's Node binding schedules its native call with setImmediate. The gate is entered by an immediate scheduled just before it, so
 * that the thread counts as native for exactly the native call: JavaScript that never ends can still be ended from outside.
 */
async function through<Result>(gate: NativeGate, call: () => Promise<Result>): Promise<Result> {
  let inside = false;
  const entering = setImmediate(() => {
    inside = true;
    if (!gate.enter()) process.exit(1);
  });
  try {
    return await call();
  } finally {
    clearImmediate(entering);
    if (inside && !gate.leave()) process.exit(1);
  }
}
