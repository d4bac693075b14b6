import type { Route } from '../route.js';
import type { Predict } from './predict.js';

/** TorchServe's own paths: `/predictions` and `/explanations`, by model, by version, and with a further path for the handler's eyes. */
export function predictionRoutes(predict: Predict): readonly Route[] {
  return [...pathsOf(predict, 'predictions', false), ...pathsOf(predict, 'explanations', true)];
}

function pathsOf(predict: Predict, first: string, explains: boolean): readonly Route[] {
  const purpose = explains ? 'explain' : 'predict';
  const explain = ['explain', explains ? 'True' : 'False'] as const;
  const withoutRest = [['url_path', ''] as const, explain];
  const common = { connector: 'inference', methods: 'any', scope: 'infer' } as const;
  return [
    {
      ...common,
      pattern: `/${first}/:model`,
      handle: (request, reply, params) =>
        predict.run({ model: params.get('model'), version: undefined, purpose, headers: withoutRest, queryIsInput: false }, request, reply),
    },
    {
      ...common,
      pattern: `/${first}/:model/:version`,
      handle: (request, reply, params) =>
        predict.run({ model: params.get('model'), version: params.get('version'), purpose, headers: withoutRest, queryIsInput: false }, request, reply),
    },
    {
      ...common,
      pattern: `/${first}/:model/:version/*`,
      handle: (request, reply, params) => {
        const headers = [['url_path', params.rest] as const, explain];
        predict.run({ model: params.get('model'), version: params.get('version'), purpose, headers, queryIsInput: false }, request, reply);
      },
    },
  ];
}
