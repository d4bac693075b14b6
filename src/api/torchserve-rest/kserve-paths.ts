import type { Route } from '../route.js';
import type { Predict } from './predict.js';

/** KServe's v1 paths. The model's name ends at the first colon, the default version answers; the protocol's envelope is the handler's affair. */
export function kserveV1Paths(predict: Predict): readonly Route[] {
  return [
    v1(predict, ':predict', false),
    // A segment that holds both words predicts, as in TorchServe.
    v1(predict, ':explain', true),
  ];
}

/** What TorchServe has of KServe v2 where the Open Inference Protocol is switched off. */
export function kserveV2Paths(predict: Predict): readonly Route[] {
  return [v2(predict, 'infer', false), v2(predict, 'explain', true)];
}

function v1(predict: Predict, verb: string, explains: boolean): Route {
  return {
    connector: 'inference',
    methods: 'any',
    pattern: '/v1/models/:model',
    scope: 'infer',
    fits: (segments) => segments[2]?.includes(verb) === true,
    handle: (request, reply, params) => predict.run(wishOf(params.get('model'), explains), request, reply),
  };
}

function v2(predict: Predict, verb: string, explains: boolean): Route {
  return {
    connector: 'inference',
    methods: 'any',
    pattern: `/v2/models/:model/${verb}`,
    scope: 'infer',
    handle: (request, reply, params) => predict.run(wishOf(params.get('model'), explains), request, reply),
  };
}

function wishOf(segment: string, explains: boolean) {
  const [model = ''] = segment.split(':', 1);
  return {
    model,
    version: undefined,
    purpose: explains ? 'explain' : 'predict',
    headers: [['explain', explains ? 'True' : 'False']],
    queryIsInput: false,
  } as const;
}
