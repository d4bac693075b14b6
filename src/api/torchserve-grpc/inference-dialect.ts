import { BadRequest } from '../../errors/admission.js';
import { ModelNotFound, ModelVersionNotFound } from '../../errors/model.js';
import { ModelLoading, NoWorkers, QueueFull, SequenceEnded, WorkersExhausted } from '../../errors/scheduling.js';
import type { SconceError } from '../../errors/sconce-error.js';
import { GRPC, type GrpcDialect } from '../grpc-status.js';

const NO_WORKER: readonly { is(error: unknown): boolean }[] = [QueueFull, NoWorkers, ModelLoading, SequenceEnded, WorkersExhausted];

/** TorchServe's front end names its own refusals like this, and not by their class. */
export function tagOfRefusal(error: SconceError): string | undefined {
  if (BadRequest.is(error)) return 'BadRequestException.()';
  return NO_WORKER.some((definition) => definition.is(error)) ? 'InternalServerException.()' : undefined;
}

/** Predictions: whatever TorchServe's front end finds wrong is INTERNAL; clients tell the cases apart by the text. */
export const INFERENCE_DIALECT: GrpcDialect = {
  code: (error) => (BadRequest.is(error) || ModelNotFound.is(error) || ModelVersionNotFound.is(error) ? GRPC.internal : undefined),
  tag: tagOfRefusal,
};
