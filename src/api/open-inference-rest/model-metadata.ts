import type { ModelMetadata } from '../../admission/inference-gate.js';
import { TensorsUnknown } from '../../errors/model.js';

/** The platform that Triton's clients know for models that ONNX Runtime runs. A handler's model has none: it reads requests by itself. */
export const ONNX_PLATFORM = 'onnxruntime_onnx';

/** A model as the protocol tells it; a free axis is -1. What a handler takes and gives only its author knows. Throws TensorsUnknown. */
export function modelMetadata({ name, versions, takesTensors, signature }: ModelMetadata): object {
  if (takesTensors && signature === undefined) throw TensorsUnknown({ model: name });
  const { inputs, outputs } = signature ?? { inputs: [], outputs: [] };
  return { name, versions, platform: takesTensors ? ONNX_PLATFORM : '', inputs, outputs };
}
