import { expect, it } from 'vitest';
import { OF_TENANT_A } from '../../test/fixtures/caller.js';
import { anInferenceRequest } from '../../test/fixtures/inference-request.js';
import { aDescription, aServableModel, KeptModelService } from '../../test/fixtures/kept-model-service.js';
import { ModelNotFound, ModelVersionNotFound } from '../errors/model.js';
import type { Answer } from '../inference/part.js';
import { ANYONE } from '../inference/principal.js';
import type { InferenceRequest } from '../inference/request.js';
import { InferenceGate } from './inference-gate.js';

function aGate() {
  const models = new KeptModelService();
  models.versions.push(aDescription());
  return { models, gate: new InferenceGate(models) };
}

it('a request reaches the registry as it is, and its answer comes back', () => {
  const { models, gate } = aGate();
  const request: InferenceRequest = {
    id: 'r',
    principal: ANYONE,
    model: 'm',
    version: undefined,
    purpose: 'predict',
    headers: [['X-Mine', '1']],
    inputs: [],
    receivedAtMs: 1,
    deadlineAtMs: undefined,
    cancelled: new AbortController().signal,
  };
  const said: string[] = [];
  const answer: Answer = { part: ({ body }) => said.push(Buffer.from(body).toString()), fail: ({ code }) => said.push(code) };

  gate.submit(request, answer);

  expect(models.requests[0]).toBe(request);
  expect(said).toEqual(['done']);
});

it('what is not served is told apart: no such model, no such version', () => {
  const { gate } = aGate();

  expect(() => gate.assertServed(ANYONE, 'm', undefined)).not.toThrow();
  expect(() => gate.assertServed(ANYONE, 'm', '1.0')).not.toThrow();
  expect(() => gate.assertServed(ANYONE, 'm', '9')).toThrow(expect.toSatisfy(ModelVersionNotFound.is));
  expect(() => gate.assertServed(ANYONE, 'n', undefined)).toThrow(expect.toSatisfy(ModelNotFound.is));
});

it.each([true, false])('health, readiness and start-up models are those of the registry (%s)', (holds) => {
  const { models, gate } = aGate();
  Object.assign(models, { healthy: () => holds, ready: () => !holds, startupModels: () => ['b', 'a'] });

  expect([gate.healthy(ANYONE), gate.ready(), gate.startupModels(ANYONE)]).toEqual([holds, !holds, ['b', 'a']]);
});

it("another's model is not found: not by name, not in the lists, and not by a request that came past the routes", () => {
  const { models, gate } = aGate();
  models.versions.push(aDescription({ model: aServableModel({ name: 'a-1' }) }));
  Object.assign(models, { startupModels: () => ['m', 'a-1'] });
  const said: string[] = [];
  const answer: Answer = { part: ({ body }) => said.push(Buffer.from(body).toString()), fail: ({ code }) => said.push(code) };

  for (const purpose of ['predict', 'explain', 'describe'] as const)
    for (const model of ['m', 'a-1']) gate.submit(anInferenceRequest({ principal: OF_TENANT_A, model, purpose }), answer);

  expect(said).toEqual(['MODEL_NOT_FOUND', 'done', 'MODEL_NOT_FOUND', 'done', 'MODEL_NOT_FOUND', 'done']);
  expect([gate.modelNames(OF_TENANT_A), gate.startupModels(OF_TENANT_A)]).toEqual([['a-1'], ['a-1']]);
  for (const ask of [gate.assertServed, gate.metadata, gate.modelReady]) {
    expect(() => ask.call(gate, OF_TENANT_A, 'm', undefined)).toThrow(expect.toSatisfy(ModelNotFound.is));
    expect(() => ask.call(gate, OF_TENANT_A, 'a-1', undefined)).not.toThrow();
  }
});

it('health is that of all models, and for whoever belongs to a tenant that of its own', () => {
  const { models, gate } = aGate();
  Object.assign(models, { healthy: (counts: (name: string) => boolean = () => true) => !counts('m') });
  const confined = OF_TENANT_A.within({ patterns: ['a-*'], owns: (name) => name.startsWith('a-') });

  expect([gate.healthy(ANYONE), gate.healthy(OF_TENANT_A), gate.healthy(confined)]).toEqual([false, false, true]);
});
