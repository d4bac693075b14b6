import type { HeaderPair } from '../../inference/request.js';
import type { ThreadAnswer } from '../thread-messages.js';
import { HandlerError } from './handler.js';
import { type Failing, requestLines, userStack } from './handler-failure.js';

const INVALID_OUTPUT = 'Invalid model predict output';
const MISMATCH = 'number of batch response mismatched';
const UNSUPPORTED = 'Unsupported model output data type.';
const PREDICTION_FAILED = 'Prediction failed';

/**
 * What a handler returned for its requests, as answers. One result that cannot be sent fails the whole batch; an Error in the list fails its own request.
 * With `devTracebacks` the client hears what is behind a failure; the log always does.
 */
export function answersFrom(results: unknown, requests: readonly Failing[], devTracebacks: boolean): readonly ThreadAnswer[] {
  const count = requests.length;
  const all = (message: string, why: string): readonly ThreadAnswer[] => {
    console.warn([why, ...requestLines(requests)].join('\n'));
    return requests.map(() => failed(message, devTracebacks ? why : undefined));
  };
  if (!Array.isArray(results))
    return all(INVALID_OUTPUT, `The handler returned ${results === null ? 'null' : typeof results}, not an array with a result per request.`);
  if (results.length !== count) return all(MISMATCH, `The number of results does not match the batch: expected ${count}, got ${results.length}.`);
  try {
    return results.map((result, index) => answerFrom(result, requests.slice(index, index + 1), devTracebacks));
  } catch (error) {
    return all(UNSUPPORTED, `A result of the handler cannot be sent: ${userStack(error)}`);
  }
}

/** The answer to requests whose handler threw. A HandlerError's status and message are told; of anything else only that it failed, and with `devTracebacks` its stack. */
export function answerToError(error: unknown, requests: readonly Failing[], devTracebacks: boolean): ThreadAnswer {
  if (isHandlerError(error)) return { kind: 'failed', status: error.status, message: error.message };
  const stack = userStack(error);
  console.error([stack, ...requestLines(requests)].join('\n'));
  return failed(PREDICTION_FAILED, devTracebacks ? stack : undefined);
}

function failed(message: string, behind: string | undefined): ThreadAnswer {
  return { kind: 'failed', status: 503, message: behind === undefined ? message : `${message}\n${behind}` };
}

/** By name, not by class: a handler may have its own copy of the package. */
function isHandlerError(error: unknown): error is HandlerError {
  if (error instanceof HandlerError) return isErrorStatus(error.status);
  return error instanceof Error && error.name === 'HandlerError' && 'status' in error && isErrorStatus(error.status);
}

function isErrorStatus(status: unknown): boolean {
  return Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599;
}

function answerFrom(result: unknown, request: readonly Failing[], devTracebacks: boolean): ThreadAnswer {
  if (result instanceof Error) return answerToError(result, request, devTracebacks);
  if (!isResponse(result)) return { kind: 'answer', status: 200, reason: '', ...encode(result, []) };
  const { status = 200, headers = {}, body } = result;
  if (!Number.isInteger(status) || Number(status) < 200 || Number(status) > 599) throw new TypeError(`${String(status)} is no HTTP status`);
  return { kind: 'answer', status: Number(status), reason: '', ...encode(body, readHeaders(headers)) };
}

const RESPONSE_KEYS = new Set(['status', 'headers', 'body']);

function isResponse(result: unknown): result is { readonly status?: unknown; readonly headers?: unknown; readonly body: unknown } {
  if (typeof result !== 'object' || result === null || !('body' in result)) return false;
  const keys = Object.keys(result);
  return keys.length > 1 && keys.every((key) => RESPONSE_KEYS.has(key));
}

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function readHeaders(headers: unknown): readonly HeaderPair[] {
  if (typeof headers !== 'object' || headers === null) throw new TypeError('headers has to be an object');
  return Object.entries(headers).map(([name, value]) => {
    const text = String(value);
    if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(text)) throw new TypeError(`the header ${JSON.stringify(name)} cannot be sent`);
    return [name, text];
  });
}

/** Text and bytes go as they are; anything else as JSON, with its content type unless the handler gave one. */
function encode(body: unknown, headers: readonly HeaderPair[]): { readonly headers: readonly HeaderPair[]; readonly body: Uint8Array | string } {
  if (typeof body === 'string') return { headers, body };
  if (body instanceof Uint8Array) return { headers, body };
  const text = JSON.stringify(body);
  if (text === undefined) throw new TypeError(`${typeof body} has no JSON form`);
  const typed = headers.some(([name]) => name.toLowerCase() === 'content-type');
  return { headers: typed ? headers : [...headers, ['content-type', 'application/json']], body: text };
}
