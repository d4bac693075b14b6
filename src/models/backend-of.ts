import type { ServableModel } from '../inference/servable-model.js';

/** Which kind of backend runs a model, told by its handler's name and, where it has none, by its file. */
export function backendOf(handler: string | undefined, serializedFile: string | undefined): ServableModel['backend'] {
  const file = handler?.split(':')[0] ?? '';
  if (/\.(mjs|js|ts|mts)$/.test(file)) return 'javascript';
  return serializedFile?.endsWith('.onnx') && (handler === undefined || handler === 'onnx') ? 'onnx' : 'python';
}
