import { Invariant } from '../errors/admission.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { HeaderPair } from '../inference/request.js';

/** A REST error as it goes over the wire. */
export interface RenderedError {
  readonly status: number;
  readonly headers: readonly HeaderPair[];
  /** `{code, type, message}`, pretty-printed. */
  readonly body: string;
}

/** What a client is told of a fault of ours: the details are in the server log, under the answer's `x-request-id`. */
const FAULT_OF_OURS = 'Internal server error.';

/** The REST form of an error: TorchServe's body, and `x-sconce-reason` where the error has an outcome word. */
export function renderError(error: SconceError): RenderedError {
  return render(error, () => ({}));
}

/** The same with the message as `error`, which is all that the Open Inference Protocol says of a failure. */
export function renderOpenInferenceError(error: SconceError): RenderedError {
  return render(error, (message) => ({ error: message }));
}

function render(error: SconceError, further: (message: string) => object): RenderedError {
  const { http, type } = error.rendering;
  const message = error.code === Invariant.code ? FAULT_OF_OURS : error.message;
  const headers: HeaderPair[] = [['content-type', 'application/json']];
  if (error.reason !== undefined) headers.push(['x-sconce-reason', error.reason]);
  if (error.retryAfterS !== undefined) headers.push(['retry-after', String(error.retryAfterS)]);
  if (error.kind === 'unauthenticated' && http === 401) headers.push(['www-authenticate', 'Bearer']);
  return { status: http, headers, body: prettyJson({ code: http, type, message, ...further(message) }) };
}

/** TorchServe's JSON: indented by 2 spaces, members that are null left out, a newline at the end. */
export function prettyJson(value: unknown): string {
  return `${JSON.stringify(value, withoutNulls, 2)}\n`;
}

function withoutNulls(_key: string, value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  if (!Object.values(value).includes(null)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null));
}
