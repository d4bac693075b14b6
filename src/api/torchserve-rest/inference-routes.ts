import type { Route } from '../route.js';
import { healthRoutes } from './health.js';
import { kservePaths } from './kserve-paths.js';
import { legacyPaths } from './legacy-paths.js';
import { openInferencePaths } from './open-inference-paths.js';
import { Predict, type PredictOptions } from './predict.js';
import { predictionRoutes } from './predictions.js';
import { sageMakerRoutes } from './sagemaker.js';

export interface InferenceApiOptions extends PredictOptions {
  /** What the Open Inference paths tell as the server's version; undefined: those paths don't exist. */
  readonly openInferenceVersion: string | undefined;
  /** Tells `/ready` why the server is not ready. */
  readonly isDraining: () => boolean;
}

/** All paths of the REST inference API, apart from its description. */
export function inferenceRoutes(options: InferenceApiOptions): readonly Route[] {
  const predict = new Predict(options);
  return [
    ...healthRoutes(options.gate, options.isDraining),
    ...predictionRoutes(predict),
    ...sageMakerRoutes(predict, options.gate),
    ...kservePaths(predict),
    ...legacyPaths(predict),
    ...(options.openInferenceVersion === undefined ? [] : openInferencePaths(options.openInferenceVersion)),
  ];
}
