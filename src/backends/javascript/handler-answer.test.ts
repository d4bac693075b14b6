import { describe, expect, it, vi } from 'vitest';
import { HandlerError } from './handler.js';
import { answersFrom, answerToError } from './handler-answer.js';

vi.spyOn(console, 'warn').mockImplementation(() => {});
const logged = vi.spyOn(console, 'error').mockImplementation(() => {});

const requests = [{ id: 'a' }, { id: 'b' }];
const one = (result: unknown): unknown => answersFrom([result], requests.slice(0, 1), false)[0];
const json = ['content-type', 'application/json'] as const;
const UNSUPPORTED = { kind: 'failed', status: 503, message: 'Unsupported model output data type.' };

describe('answersFrom', () => {
  it.each([
    ['text', 'hello', { headers: [], body: 'hello' }],
    ['bytes', Uint8Array.of(1, 2), { headers: [], body: Uint8Array.of(1, 2) }],
    ['an object', { a: [1, null] }, { headers: [json], body: '{"a":[1,null]}' }],
    ['a number', 7, { headers: [json], body: '7' }],
    ['an object that only looks like a response', { body: 'x' }, { headers: [json], body: '{"body":"x"}' }],
    ['an object with more than a response has', { status: 200, body: 'x', id: 1 }, { headers: [json], body: '{"status":200,"body":"x","id":1}' }],
    ['a response', { status: 201, headers: { 'X-A': 1 }, body: 'x' }, { status: 201, headers: [['X-A', '1']], body: 'x' }],
    ['a JSON response with its own type', { headers: { 'Content-Type': 'a/b' }, body: [1] }, { headers: [['Content-Type', 'a/b']], body: '[1]' }],
  ])('%s is sent as it should be', (_, result, answer) => {
    expect(one(result)).toEqual({ kind: 'answer', status: 200, reason: '', ...answer });
  });

  it.each([
    ['nothing', undefined],
    ['a function', () => 1],
    ['a BigInt', 1n],
    ['a header with a line break', { headers: { a: 'b\r\nset-cookie: c' }, body: '' }],
    ['a status that is none', { status: 99, body: '' }],
  ])('%s cannot be sent, and fails the batch', (_, result) => {
    expect(answersFrom([result, 'good'], requests, false)).toEqual([UNSUPPORTED, UNSUPPORTED]);
  });

  it('a circle cannot be sent', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;

    expect(one(circle)).toEqual(UNSUPPORTED);
  });

  it('what is no array fails the batch', () => {
    expect(answersFrom('ab', requests, false)).toEqual(Array(2).fill({ kind: 'failed', status: 503, message: 'Invalid model predict output' }));
  });

  it('another number of results fails the batch', () => {
    expect(answersFrom(['a'], requests, false)).toEqual(Array(2).fill({ kind: 'failed', status: 503, message: 'number of batch response mismatched' }));
  });

  it('an error in the list fails its own request', () => {
    expect(answersFrom([new HandlerError(422, 'no'), 'good'], requests, false)).toMatchObject([
      { kind: 'failed', status: 422, message: 'no' },
      { body: 'good' },
    ]);
  });
});

describe('answerToError', () => {
  it('tells status and message of a HandlerError, also of another copy of its class', () => {
    const foreign = Object.assign(new Error('no'), { name: 'HandlerError', status: 418 });

    expect(answerToError(foreign, requests, true)).toEqual({ kind: 'failed', status: 418, message: 'no' });
  });

  it.each([new Error('secret'), new HandlerError(200, 'fine'), 'text', undefined])('tells nothing of %s', (error) => {
    expect(answerToError(error, requests, false)).toEqual({ kind: 'failed', status: 503, message: 'Prediction failed' });
  });

  it("tells the author what is behind a failure, with the frames that are the handler's own", () => {
    const answer = answerToError(new Error('secret'), requests, true);

    expect(answer).toMatchObject({
      kind: 'failed',
      status: 503,
      message: expect.stringMatching(/^Prediction failed\nError: secret\n +at /),
    });
    expect(answersFrom(7, requests, true)[0]).toMatchObject({
      message: 'Invalid model predict output\nThe handler returned number, not an array with a result per request.',
    });
  });

  it('writes the ids of the requests to the log, on a line of their own', () => {
    answerToError(new Error('x'), requests, false);

    expect(logged.mock.lastCall?.[0].split('\n').at(-1)).toBe('request_id=a request_id=b');
  });
});
