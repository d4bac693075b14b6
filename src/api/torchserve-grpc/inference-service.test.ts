import { expect, it } from 'vitest';
import { aCaller } from '../../../test/fixtures/caller.js';
import { aDescription, KeptModelService } from '../../../test/fixtures/kept-model-service.js';
import { silentObserver } from '../../../test/fixtures/silent-observer.js';
import { InferenceGate } from '../../admission/inference-gate.js';
import { Invariant } from '../../errors/admission.js';
import { PredictionsRequest } from '../grpc-generated/inference.js';
import type { GrpcStatus } from '../grpc-status.js';
import { inferenceMethods } from './inference-service.js';

it.each(['Predictions', 'StreamPredictions'])('a fault of ours that ends %s is logged, and not told', async (name) => {
  const faults: unknown[] = [];
  const models = new KeptModelService();
  models.versions.push(aDescription());
  models.answers = (_request, answer) => answer.fail(Invariant({ what: 'secret' }));
  const sequenceKeys = { id: 'id', start: 'start', end: 'end' };
  const methods = inferenceMethods({
    gate: new InferenceGate(models),
    observer: silentObserver(),
    sequenceKeys,
    logFault: (...fault) => void faults.push(fault),
  });
  const call = { ...aCaller(), id: 'c', receivedAtMs: 0, deadlineAtMs: undefined, closed: new AbortController().signal, onDrain: () => undefined };

  const status = await new Promise<GrpcStatus>((fail) => {
    const reply = { ended: false, send: () => undefined, end: () => undefined, fail, readable: async () => undefined };
    const receiver = methods.find((method) => method.name === name)?.begin(call, reply);
    void receiver?.message(PredictionsRequest.encode({ modelName: 'm', modelVersion: '', input: new Map() }).finish());
  });

  expect([status.code, status.details]).toEqual([13, expect.not.stringContaining('secret')]);
  expect(faults).toEqual([[expect.stringContaining(`/${name} met an internal error`), expect.objectContaining({ code: Invariant.code })]]);
});
