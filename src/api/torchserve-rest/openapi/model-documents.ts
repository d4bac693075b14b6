import { INTERNAL, type Json, operation } from './document.js';
import { MODEL_PATHS } from './management-paths.js';

/** What OPTIONS on a model's predict path shows. The first path lacks its `s`, as in TorchServe: clients read it. */
export function modelInferenceDocument(model: string): Json {
  const post = operation({ description: `Predict with the model ${model}.`, operationId: model, responses: { 200: { description: 'OK' }, 500: INTERNAL } });
  return {
    openapi: '3.0.1',
    info: { title: `RESTful API for: ${model}`, version: '1.0.0' },
    paths: { [`/prediction/${model}`]: { post }, '/v1/models/{model_name}:predict': { post }, '/v2/models/{model_name}/infer': { post } },
  };
}

/** What OPTIONS on a model's management path shows. */
export function modelManagementDocument(model: string, version: string): Json {
  return { openapi: '3.0.1', info: { title: `RESTful Management API for: ${model}`, version }, paths: MODEL_PATHS };
}
