import type { Route } from '../route.js';
import type { Predict } from './predict.js';

/** The paths of TorchServe's forerunner: `/{model}/predict` and `/{model}/{version}/predict`. The query's pairs become inputs. */
export function legacyPaths(predict: Predict): readonly Route[] {
  const common = { connector: 'inference', methods: 'any', scope: 'infer' } as const;
  const wish = { purpose: 'predict', headers: [], queryIsInput: true } as const;
  return [
    {
      ...common,
      pattern: '/:model/predict',
      handle: (request, reply, params) => predict.run({ ...wish, model: params.get('model'), version: undefined }, request, reply),
    },
    {
      ...common,
      pattern: '/:model/:version/predict',
      // Below `/models` every such path belongs to the other APIs.
      fits: (segments) => segments[0] !== 'models',
      handle: (request, reply, params) => predict.run({ ...wish, model: params.get('model'), version: params.get('version') }, request, reply),
    },
  ];
}
