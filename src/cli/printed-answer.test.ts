import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { HandlerFailed, LoadFailed, WorkerDied } from '../errors/backend.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { ResponsePart } from '../inference/part.js';
import { PrintedAnswer } from './printed-answer.js';

let out: string;
let err: string;

beforeEach(() => {
  out = '';
  err = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    out += Buffer.from(chunk as Uint8Array).toString();
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk) => {
    err += String(chunk);
    return true;
  });
});

afterEach(() => vi.restoreAllMocks());

function part(body: Uint8Array | string, more: Partial<ResponsePart> = {}): ResponsePart {
  return { status: 200, reason: '', headers: [['x-a', '1']], body: Buffer.from(body), last: true, ...more };
}

function failed(error: SconceError, { json = false, withTraceback = true, why = undefined as string | undefined } = {}): number {
  return new PrintedAnswer(json).end({ kind: 'failed', error, ...(why === undefined ? {} : { why }) }, withTraceback);
}

it('a stream is printed as it comes; its first part says the status', () => {
  const answer = new PrintedAnswer(false);
  answer.part(part('a', { last: false, status: 201 }));
  answer.part(part('b', { status: 500 }));

  expect([answer.end({ kind: 'answered', handlerMs: 1 }, false), out, err]).toEqual([0, 'ab', '']);
});

it.each([
  ['{"a": 1}', { body: { a: 1 } }],
  ['héllo', { body: 'héllo' }],
  [Uint8Array.of(0xff, 0), { bodyBase64: '/wA=' }],
])('as JSON the body %s is told as what it is', (body, told) => {
  const answer = new PrintedAnswer(true);
  answer.part(part(body));

  expect(answer.end({ kind: 'answered', handlerMs: 2 }, false)).toBe(0);
  expect(JSON.parse(out)).toEqual({ status: 200, headers: { 'x-a': '1' }, handlerMs: 2, ...told });
});

it.each([
  ['Prediction failed\nTypeError: x\n    at handle', '503 Prediction failed', 'TypeError: x\n    at handle'],
  ['two\nlines\nTraceback (most recent call last):\n  …', '503 two\nlines', 'Traceback (most recent call last):\n  …'],
  ['two\nlines', '503 two\nlines', undefined],
])('an error %j is told with its traceback where that is wanted', (message, head, traceback) => {
  const error = HandlerFailed({ status: 503, message });

  expect(failed(error)).toBe(1);
  expect(err).toBe(traceback === undefined ? `${head}\n` : `${head}\n${traceback}\n`);
  err = '';
  failed(error, { withTraceback: false });
  expect(err).toBe(`${head}\n`);
  failed(error, { json: true });
  expect(JSON.parse(out)).toEqual({
    status: 503,
    error: { code: 'HANDLER_FAILED', message: head.slice(4), ...(traceback === undefined ? {} : { traceback }) },
  });
});

it('a model that did not load, and a worker that ended, are told as such', () => {
  failed(LoadFailed({ status: 500, message: 'SyntaxError: x', traceback: '  File "h.py"' }));
  failed(WorkerDied({}), { why: 'exit code 7' });

  expect(err).toBe('The model could not be loaded: SyntaxError: x\n  File "h.py"\n500 Worker died. (exit code 7)\n');
});
