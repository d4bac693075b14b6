import type { Principal } from '../../inference/principal.js';
import type { Route } from '../route.js';
import type { InferencePort } from './inference-port.js';
import type { Predict } from './predict.js';

/** SageMaker's two shapes: `/invocations` for one model or one named in the query or a form field, `/models/{model}/invoke` for many. */
export function sageMakerRoutes(predict: Predict, gate: InferencePort): readonly Route[] {
  const common = { connector: 'inference', methods: 'any', scope: 'infer' } as const;
  const wish = { version: undefined, purpose: 'predict', headers: [], queryIsInput: true } as const;
  return [
    {
      ...common,
      pattern: '/invocations',
      handle: (request, reply) => predict.run({ ...wish, model: request.query.get('model_name') || onlyStartupModel(gate, request.principal) }, request, reply),
    },
    {
      ...common,
      pattern: '/models/:model/invoke',
      handle: (request, reply, params) => predict.run({ ...wish, model: params.get('model') }, request, reply),
    },
  ];
}

function onlyStartupModel(gate: InferencePort, principal: Principal): string | undefined {
  const models = gate.startupModels(principal);
  return models.length === 1 ? models[0] : undefined;
}
