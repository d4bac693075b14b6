import { grpcCodeOf } from './grpc-code.js';
import { defineError } from './sconce-error.js';

/** The worker ended while it held the request. 507 when the kernel killed it for memory, as TorchServe answers exit code 137. */
export const WorkerDied = defineError<{ outOfMemory?: boolean }>('WORKER_DIED', {
  kind: 'bug',
  http: ({ outOfMemory }) => (outOfMemory ? 507 : 500),
  grpc: ({ outOfMemory }) => grpcCodeOf(outOfMemory ? 413 : 500),
  reason: ({ outOfMemory }) => (outOfMemory ? 'out_of_memory' : 'worker_lost'),
  says: () => 'Worker died.',
});
/** The handler ran longer than responseTimeout; its worker is replaced. */
export const ResponseTimedOut = defineError('RESPONSE_TIMEOUT', { kind: 'bug', reason: 'handler_timeout', says: () => 'Worker died.' });
/** What a worker reports of a batch or a request: the code and text are the worker's, data and never trusted. 413 is shown as 507, as TorchServe does. */
export const HandlerFailed = defineError<{ status: number; message: string }>('HANDLER_FAILED', {
  kind: 'model-failed',
  http: ({ status }) => (status === 413 ? 507 : status),
  grpc: ({ status }) => grpcCodeOf(status),
  reason: ({ status }) => (status === 507 ? 'out_of_memory' : 'handler_fault'),
  says: ({ message }) => message,
});
/** The handler's answer named no prediction for this request of its batch. TorchServe would keep the caller for ever. */
export const PredictionMissing = defineError('PREDICTION_MISSING', {
  kind: 'bug',
  reason: 'handler_fault',
  says: () => 'The handler gave no prediction for this request.',
});
export const ResponseTooLarge = defineError<{ limitBytes: number }>('RESPONSE_TOO_LARGE', { kind: 'bug', reason: 'handler_fault', says: () => 'Worker died.' });
/** More headers than clients of HTTP/2 take. */
export const AnswerHeadersTooLarge = defineError<{ sizeBytes: number; limitBytes: number }>('ANSWER_HEADERS_TOO_LARGE', {
  kind: 'bug',
  reason: 'handler_fault',
  says: ({ sizeBytes, limitBytes }) => `The handler's answer has headers of ${sizeBytes} bytes; over HTTP/2 they may take ${limitBytes}.`,
});
/** An input that the model cannot take: wrong dtype, shape, name or encoding. */
export const BadInput = defineError<{ what: string }>('BAD_INPUT', { kind: 'invalid', reason: 'bad_input', says: ({ what }) => what });
/** The handler answered an Open Inference request with something else. TorchServe's worker would die of it. */
export const InferAnswerInvalid = defineError<{ what: string }>('INFER_ANSWER_INVALID', {
  kind: 'bug',
  reason: 'handler_fault',
  says: ({ what }) => `The handler's answer is no Open Inference answer: ${what}`,
});
/** A replica did not come up. `status` is 500, or 507 when loading ran out of memory; `message` is the last line of the worker's own words, `traceback` all of them where the client is the author. */
export const LoadFailed = defineError<{ status: number; message: string; traceback?: string | undefined }>('LOAD_FAILED', {
  kind: 'bug',
  http: ({ status }) => status,
  says: ({ message, traceback }) => (traceback ? `${message}\n${traceback}` : message),
});
/** The cause of a failure that the worker has printed itself, every word of it: the server's log needs no second telling. */
export class ToldInModelLog extends Error {
  constructor() {
    super('why stands in model_log.log');
    this.name = 'ToldInModelLog';
  }
}
/** No interpreter, no package, no platform support: the backend itself cannot run here. */
export const BackendUnavailable = defineError<{ backend: string; why: string }>('BACKEND_UNAVAILABLE', {
  kind: 'unsupported',
  http: 500,
  says: ({ backend, why }) => `The ${backend} backend cannot run: ${why}`,
});
