import { describe, expect, it } from 'vitest';
import { BadRequest, Invariant, TokenRefused } from '../errors/admission.js';
import { HandlerFailed } from '../errors/backend.js';
import { QueueFull } from '../errors/scheduling.js';
import { prettyJson, renderError } from './render-error.js';

describe('renderError', () => {
  it('gives TorchServe’s body in TorchServe’s order, and the outcome word where there is one', () => {
    expect(renderError(BadRequest({ message: 'a "b" <c>\n' }))).toEqual({
      status: 400,
      headers: [['content-type', 'application/json']],
      body: '{\n  "code": 400,\n  "type": "BadRequestException",\n  "message": "a \\"b\\" <c>\\n"\n}\n',
    });
    expect(renderError(QueueFull({ model: 'm' })).headers).toContainEqual(['x-sconce-reason', 'queue_full']);
  });

  it('asks for a token where the server wants one, and not where a handler answers 401', () => {
    const asking = ['www-authenticate', 'Bearer'];

    expect(renderError(TokenRefused({ status: 401 })).headers).toContainEqual(asking);
    expect(renderError(HandlerFailed({ status: 401, message: 'no such luck' })).headers).not.toContainEqual(asking);
  });

  it('keeps the facts of an internal error from the client', () => {
    expect(renderError(Invariant({ what: 'secret' })).body).not.toContain('secret');
  });
});

describe('prettyJson', () => {
  it('leaves out members that are null, at any depth, and keeps nulls of lists', () => {
    expect(prettyJson({ a: null, b: { c: null, d: 1 }, e: [null, { f: null }] })).toBe('{\n  "b": {\n    "d": 1\n  },\n  "e": [\n    null,\n    {}\n  ]\n}\n');
  });

  it('does not escape for HTML', () => {
    expect(prettyJson('<a href="x">&é')).toBe('"<a href=\\"x\\">&é"\n');
  });
});
