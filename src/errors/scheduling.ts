import { defineError } from './sconce-error.js';

interface Of {
  readonly model: string;
  /** Only when the client named one. */
  readonly version?: string | undefined;
}

/** TorchServe answers queue full, no workers and closed sequences with this one text; clients match on it. The outcome word tells them apart. */
function noWorkerText({ model, version }: Of): string {
  const head = version === undefined ? `Model "${model}"` : `Model "${model}" Version ${version}"`;
  return `${head} has no worker to serve inference request. Please use scale workers API to add workers. If this is a sequence inference, please check if it is closed, or expired; or exceeds maxSequenceJobQueueSize`;
}

/** TorchServe says INTERNAL over gRPC where it says 503 over REST. */
const NO_WORKER_CODE = 13;

export const QueueFull = defineError<Of>('QUEUE_FULL', { kind: 'overloaded', grpc: NO_WORKER_CODE, reason: 'queue_full', says: noWorkerText });
export const NoWorkers = defineError<Of>('NO_WORKERS', { kind: 'unavailable', grpc: NO_WORKER_CODE, reason: 'no_workers', says: noWorkerText });
export const ModelLoading = defineError<Of>('MODEL_LOADING', { kind: 'unavailable', grpc: NO_WORKER_CODE, reason: 'model_loading', says: noWorkerText });
/** A request that waited in its sequence when that ended: by its time limit, by an earlier request that said so, or by the handler. */
export const SequenceEnded = defineError<Of>('SEQUENCE_ENDED', { kind: 'unavailable', grpc: NO_WORKER_CODE, reason: 'sequence_ended', says: noWorkerText });
export const NoDescribeWorker = defineError<Of>('NO_DESCRIBE_WORKER', {
  kind: 'unavailable',
  grpc: NO_WORKER_CODE,
  reason: 'no_workers',
  says: ({ model }) => `Model "${model}" has no worker to serve describe request. Please use scale workers API to add workers.`,
});
/** Every worker of the model has used up its recovery window. TorchServe would keep the caller for ever. */
export const WorkersExhausted = defineError<Of>('WORKERS_EXHAUSTED', { kind: 'unavailable', grpc: NO_WORKER_CODE, reason: 'no_workers', says: noWorkerText });
export const DeadlineExceeded = defineError<{ model: string; afterMs: number }>('DEADLINE_EXCEEDED', {
  kind: 'expired',
  reason: 'deadline',
  says: ({ model, afterMs }) => `The request to model "${model}" was not answered within its deadline (${Math.round(afterMs)} ms).`,
});
export const Draining = defineError('DRAINING', {
  kind: 'unavailable',
  reason: 'draining',
  says: () => 'The server is shutting down and takes no new requests.',
});
export const RequestCancelled = defineError('REQUEST_CANCELLED', {
  kind: 'cancelled',
  reason: 'cancelled',
  says: () => 'The client closed the request.',
});
