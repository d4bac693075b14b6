import type { ApiName } from '../../route.js';
import type { Json, Paths } from './document.js';
import { DESCRIPTION_PATH, INFERENCE_PATHS, METRICS_ELSEWHERE, METRICS_PATHS, ROOT_PATH } from './inference-paths.js';
import { MANAGEMENT_PATHS } from './management-paths.js';

/** The OpenAPI 3.0.1 document of one listener, for the APIs that it serves. `version` is the server's. */
export function connectorDocument(serves: readonly ApiName[], version: string): Json {
  const onlyMetrics = serves.length === 1 && serves[0] === 'metrics';
  const paths: Paths = onlyMetrics
    ? METRICS_PATHS
    : {
        ...ROOT_PATH,
        // On a shared address TorchServe lists its own description after the inference paths; a name keeps the place where it first stood.
        ...(serves.includes('inference') ? { ...INFERENCE_PATHS, ...DESCRIPTION_PATH } : {}),
        ...(serves.includes('management') ? { ...MANAGEMENT_PATHS, ...DESCRIPTION_PATH } : {}),
        ...(serves.includes('metrics') ? METRICS_PATHS : METRICS_ELSEWHERE),
      };
  return {
    openapi: '3.0.1',
    info: { title: 'TorchServe APIs', description: 'Serve PyTorch and ONNX models over the APIs of TorchServe.', version },
    paths,
  };
}
