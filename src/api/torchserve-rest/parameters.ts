import type { InputParameter } from '../../inference/request.js';
import type { HttpRequest } from '../http-exchange.js';
import { parseUrlEncoded } from './form-urlencoded.js';
import { multipartBoundary, parseMultipart } from './multipart.js';

/**
 * The inputs that a handler gets of a request: the query's pairs first where the path passes them on, then the body's. A form gives one input per part or
 * pair, anything else is one input named `body` with its media type, empty bodies too. Equal names are all kept; the handler sees the last.
 * Throws FormMalformed, BadRequest, or IllegalArgument for a query with a broken escape.
 */
export function inputsOf(request: HttpRequest, queryIsInput: boolean): readonly InputParameter[] {
  const ofBody = bodyInputs(request);
  return queryIsInput ? [...queryInputs(request.query), ...ofBody] : ofBody;
}

function bodyInputs(request: HttpRequest): InputParameter[] {
  const { mediaType, body } = request;
  if (mediaType === 'multipart/form-data') {
    const boundary = multipartBoundary(request.header('content-type') ?? '');
    if (boundary !== undefined) return parseMultipart(body, boundary);
  }
  if (mediaType === 'application/x-www-form-urlencoded') return parseUrlEncoded(body);
  return [{ name: 'body', contentType: mediaType, value: body }];
}

function queryInputs(query: URLSearchParams): InputParameter[] {
  const inputs: InputParameter[] = [];
  for (const [name, value] of query) inputs.push({ name, contentType: '', value: Buffer.from(value) });
  return inputs;
}
