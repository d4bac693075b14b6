import type { InferenceSession } from 'onnxruntime-node';
import { modelFile } from '../model-file.js';
import type { NativeGate } from '../native-gate.js';
import { NativeSession } from '../native-session.js';
import { HandlerError, type OnnxSession } from './handler.js';

/** Opens an ONNX file of the model directory for a handler. Rejects with an Error that names the file. */
export async function openHandlerSession(directory: string, file: string, threads: number, gate: NativeGate): Promise<OnnxSession> {
  const path = await modelFile(directory, file);
  if (path === undefined) throw new HandlerError(500, `${file} is not in the model's directory.`);
  const session = await NativeSession.open(path, { intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 4 }, gate);
  return {
    inputs: session.inputs.flatMap(describe),
    outputs: session.outputs.flatMap(describe),
    run: (inputs) => session.run(inputs),
    release: () => session.release(),
  };
}

function describe(metadata: InferenceSession.ValueMetadata): OnnxSession['inputs'] {
  return metadata.isTensor ? [{ name: metadata.name, type: metadata.type, dims: metadata.shape }] : [];
}
