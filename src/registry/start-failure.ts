import { ToldInModelLog } from '../errors/backend.js';
import { SconceError } from '../errors/sconce-error.js';

/** What the log says of workers that did not start: the whole message, but not what the worker has printed itself. */
export function startFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const isTold = cause instanceof SconceError && cause.cause instanceof ToldInModelLog;
  return isTold ? error.message.replace(` (${cause.message})`, '') : error.message;
}
