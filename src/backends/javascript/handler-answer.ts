import type { HeaderPair } from '../../inference/request.js';
import type { ThreadAnswer } from '../thread-messages.js';
import { HandlerError } from './handler.js';

const INVALID_OUTPUT: ThreadAnswer = { kind: 'failed', status: 503, message: 'Invalid model predict output' };
const MISMATCH: ThreadAnswer = { kind: 'failed', status: 503, message: 'number of batch response mismatched' };
const UNSUPPORTED: ThreadAnswer = { kind: 'failed', status: 503, message: 'Unsupported model output data type.' };
const PREDICTION_FAILED: ThreadAnswer = { kind: 'failed', status: 503, message: 'Prediction failed' };

/** What a handler returned for `count` requests, as answers. One result that cannot be sent fails the whole batch; an Error in the list fails its own request. */
export function answersFrom(results: unknown, count: number): readonly ThreadAnswer[] {
  const all = (answer: ThreadAnswer): readonly ThreadAnswer[] => Array.from({ length: count }, () => answer);
  if (!Array.isArray(results)) {
    console.warn(`The handler returned ${results === null ? 'null' : typeof results}, not an array with a result per request.`);
    return all(INVALID_OUTPUT);
  }
  if (results.length !== count) {
    console.warn(`The number of results does not match the batch: expected ${count}, got ${results.length}.`);
    return all(MISMATCH);
  }
  try {
    return results.map(answerFrom);
  } catch (error) {
    console.warn('A result of the handler cannot be sent:', error);
    return all(UNSUPPORTED);
  }
}

/** The answer to a request whose handler threw. A HandlerError's status and message are told; of anything else only that it failed. */
export function answerToError(error: unknown): ThreadAnswer {
  if (isHandlerError(error)) return { kind: 'failed', status: error.status, message: error.message };
  console.error(error);
  return PREDICTION_FAILED;
}

/** By name, not by class: a handler may have its own copy of the package. */
function isHandlerError(error: unknown): error is HandlerError {
  if (error instanceof HandlerError) return isErrorStatus(error.status);
  return error instanceof Error && error.name === 'HandlerError' && 'status' in error && isErrorStatus(error.status);
}

function isErrorStatus(status: unknown): boolean {
  return Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599;
}

function answerFrom(result: unknown): ThreadAnswer {
  if (result instanceof Error) return answerToError(result);
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
