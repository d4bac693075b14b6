import type { RunnerSpec } from '../backend.js';
import type { LoadOrder } from './frames.js';
import type { PythonBackendOptions } from './python-options.js';

/** What a worker, or every rank of a group alike, is told to load; `directory` is where it finds the model. */
export function loadOrder(
  { model, device, share, batchSize }: RunnerSpec,
  directory: string,
  { limitMaxImagePixels, devTracebacks }: PythonBackendOptions,
): LoadOrder {
  return {
    modelName: model.name,
    modelDir: directory,
    handler: model.handler ?? null,
    gpuId: device.kind === 'gpu' ? device.id : null,
    batchSize,
    envelope: model.envelope ?? null,
    limitMaxImagePixels,
    modelYamlConfig: model.config.raw,
    threads: share.threads,
    ...(devTracebacks ? { devTracebacks } : {}),
  };
}
