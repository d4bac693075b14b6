import { openInferenceRoutes } from '../open-inference-rest/open-inference-routes.js';
import type { Route } from '../route.js';
import { healthRoutes } from './health.js';
import { kserveV1Paths, kserveV2Paths } from './kserve-paths.js';
import { legacyPaths } from './legacy-paths.js';
import { Predict, type PredictOptions } from './predict.js';
import { predictionRoutes } from './predictions.js';
import { sageMakerRoutes } from './sagemaker.js';

export interface InferenceApiOptions extends PredictOptions {
  /** What the Open Inference paths tell as the server's version; undefined: of those paths only TorchServe's `infer` and `explain` exist. */
  readonly openInferenceVersion: string | undefined;
  /** Tells `/ready` why the server is not ready. */
  readonly isDraining: () => boolean;
}

/** All paths of the REST inference API, apart from its description. */
export function inferenceRoutes(options: InferenceApiOptions): readonly Route[] {
  const { gate, openInferenceVersion: version } = options;
  const predict = new Predict(options);
  return [
    ...healthRoutes(gate, options.isDraining),
    ...predictionRoutes(predict),
    ...sageMakerRoutes(predict, gate),
    ...kserveV1Paths(predict),
    ...(version === undefined ? kserveV2Paths(predict) : openInferenceRoutes({ predict, gate, version })),
    ...legacyPaths(predict),
  ];
}
