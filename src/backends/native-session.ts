import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { NativeGate } from './native-gate.js';

/** An ONNX Runtime session on a worker thread whose native calls pass the thread's gate. Calls run one after the other on the calling thread. */
export class NativeSession {
  private constructor(
    private readonly session: InferenceSession,
    private readonly gate: NativeGate,
  ) {}

  /** Loads a model file. Rejects with ONNX Runtime's error. */
  static async open(file: string, options: InferenceSession.SessionOptions, gate: NativeGate): Promise<NativeSession> {
    const { InferenceSession: Session } = await import('onnxruntime-node');
    return new NativeSession(await through(gate, () => Session.create(file, options)), gate);
  }

  get inputs(): readonly InferenceSession.ValueMetadata[] {
    return this.session.inputMetadata;
  }

  get outputs(): readonly InferenceSession.ValueMetadata[] {
    return this.session.outputMetadata;
  }

  /** Runs the model once and gives the outputs named in `fetches`. Rejects with ONNX Runtime's error. */
  run(feeds: Readonly<Record<string, Tensor>>, fetches: readonly string[]): Promise<InferenceSession.ReturnType> {
    return through(this.gate, () => this.session.run(feeds, fetches));
  }

  release(): Promise<void> {
    return this.session.release();
  }
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
