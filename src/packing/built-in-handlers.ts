/** Handlers that the server brings with it: TorchServe's, Sconce's own for TorchScript, and the ONNX backend's name. */
export const BUILT_IN_HANDLERS: ReadonlySet<string> = new Set([
  'base_handler',
  'text_classifier',
  'image_classifier',
  'object_detector',
  'image_segmenter',
  'dali_image_classifier',
  'densenet_handler',
  'vision_handler',
  'text_handler',
  'vllm_handler',
  'trt_llm_handler',
  'tensor_handler',
]);

/** Those that load weights as BaseHandler does. */
export const LOADING_WEIGHTS: ReadonlySet<string> = new Set([
  'base_handler',
  'text_classifier',
  'image_classifier',
  'object_detector',
  'image_segmenter',
  'vision_handler',
  'text_handler',
  'tensor_handler',
]);

/** Those that answer with labels. */
export const LABELLING: ReadonlySet<string> = new Set(['image_classifier', 'object_detector', 'text_classifier']);

/** Those that take one request at a time. */
export const ONE_AT_A_TIME: ReadonlySet<string> = new Set(['text_classifier', 'densenet_handler', 'vllm_handler', 'trt_llm_handler']);

/** The module that a handler names: `dir/name.py:function` → `name`. */
export function handlerModule(handler: string): string {
  const path = handler.split(':')[0] ?? handler;
  return path.replace(/\.py$/, '').slice(path.lastIndexOf('/') + 1);
}
