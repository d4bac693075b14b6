import { realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import type { NativeGate } from '../native-gate.js';
import { NativeSession } from '../native-session.js';
import { HandlerError, type OnnxSession, type OnnxTensor } from './handler.js';

type Given = Omit<OnnxTensor, 'type'> & { readonly type?: string };

/** Opens an ONNX file of the model directory for a handler. Rejects with an Error that names the file. */
export async function openHandlerSession(directory: string, file: string, threads: number, gate: NativeGate): Promise<OnnxSession> {
  const root = await realpath(directory);
  const path = await realpath(join(root, file)).catch(() => undefined);
  if (path === undefined || !path.startsWith(root + sep)) throw new HandlerError(500, `${file} is not in the model's directory.`);
  const session = await NativeSession.open(path, { intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 4 }, gate);
  const { Tensor: RuntimeTensor } = await import('onnxruntime-node');
  const outputs = session.outputs.filter((output) => output.isTensor).map((output) => output.name);
  return {
    inputs: session.inputs.flatMap(describe),
    outputs: session.outputs.flatMap(describe),
    async run(inputs: Readonly<Record<string, Given>>): Promise<Record<string, OnnxTensor>> {
      const feeds = Object.fromEntries(Object.entries(inputs).map(([name, given]) => [name, toRuntime(given, RuntimeTensor)]));
      const results = await session.run(feeds, outputs);
      return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, fromRuntime(tensor)]));
    },
    release: () => session.release(),
  };
}

function describe(metadata: InferenceSession.ValueMetadata): OnnxSession['inputs'] {
  return metadata.isTensor ? [{ name: metadata.name, type: metadata.type, dims: metadata.shape }] : [];
}

/** ONNX Runtime checks that type, data and dims belong together; its constructor is typed per element type, which cannot be told here. */
function toRuntime({ type, data, dims }: Given, RuntimeTensor: typeof Tensor): Tensor {
  const values = data as Float32Array;
  return type === undefined ? new RuntimeTensor(values, dims) : new RuntimeTensor(type as 'float32', values, dims);
}

function fromRuntime({ type, dims, data }: Tensor): OnnxTensor {
  return { type, dims, data: data as OnnxTensor['data'] };
}
