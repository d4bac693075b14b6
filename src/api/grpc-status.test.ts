import { describe, expect, it } from 'vitest';
import { BadRequest, Invariant } from '../errors/admission.js';
import { HandlerFailed, WorkerDied } from '../errors/backend.js';
import { DefaultVersionInUse, ModelNotFound, UnregisterTimedOut, VersionExists } from '../errors/model.js';
import { DeadlineExceeded, Draining, NoWorkers, QueueFull } from '../errors/scheduling.js';
import { linesOf, renderStatus } from './grpc-status.js';
import { INFERENCE_DIALECT } from './torchserve-grpc/inference-dialect.js';

const OF = { model: 'm' };

describe('renderStatus', () => {
  it.each([
    [VersionExists({ ...OF, version: '1' }), 10, 'org.pytorch.serve.http.ConflictStatusException'],
    [DefaultVersionInUse(OF), 7, 'org.pytorch.serve.http.InvalidModelVersionException'],
    [UnregisterTimedOut(OF), 4, 'org.pytorch.serve.http.RequestTimeoutException'],
    [ModelNotFound(OF), 5, 'org.pytorch.serve.archive.model.ModelNotFoundException'],
    [WorkerDied({}), 13, 'org.pytorch.serve.http.InternalServerException'],
    [WorkerDied({ outOfMemory: true }), 8, 'org.pytorch.serve.http.InternalServerException'],
    [HandlerFailed({ status: 503, message: 'x' }), 14, 'org.pytorch.serve.http.InternalServerException'],
    [HandlerFailed({ status: 413, message: 'x' }), 8, 'org.pytorch.serve.http.InternalServerException'],
    [DeadlineExceeded({ ...OF, afterMs: 1 }), 4, 'org.pytorch.serve.http.RequestTimeoutException'],
    [Draining({}), 14, 'org.pytorch.serve.http.ServiceUnavailableException'],
  ])('%s is status %i, with TorchServe’s class on the second line', (error, code, tag) => {
    expect(renderStatus(error)).toEqual({ code, details: `${error.message}\n${tag}`, reason: error.reason });
  });

  it.each([
    [ModelNotFound(OF), 'org.pytorch.serve.archive.model.ModelNotFoundException'],
    [BadRequest({ message: 'x' }), 'BadRequestException.()'],
    [NoWorkers(OF), 'InternalServerException.()'],
    [QueueFull(OF), 'InternalServerException.()'],
  ])('%s is INTERNAL where it refuses a prediction', (error, tag) => {
    const status = renderStatus(error, INFERENCE_DIALECT);

    expect(status.code).toBe(13);
    expect(linesOf(status)).toEqual([error.message, tag]);
  });

  it('keeps the facts of an internal error from the client', () => {
    expect(renderStatus(Invariant({ what: 'secret' })).details).not.toContain('secret');
  });

  it('bounds what it says, and says nothing that a trailer cannot carry', () => {
    const { details } = renderStatus(BadRequest({ message: `\ud800${'ü'.repeat(5000)}` }));

    expect(Buffer.byteLength(details)).toBeLessThan(2200);
    expect(() => encodeURI(details)).not.toThrow();
  });
});
