import { describe, expect, it } from 'vitest';
import { aHttpRequest } from '../../../test/fixtures/http-exchange.js';
import { BadRequest, JsonMalformed } from '../../errors/admission.js';
import { WishParameters } from './wish-parameters.js';

const ofQuery = (query: string) => WishParameters.ofQuery(aHttpRequest({ target: `/models?${query}` }));
const ofJson = (body: string, type = 'application/json') =>
  WishParameters.of(aHttpRequest({ method: 'POST', target: '/models?url=of-query', headers: [['Content-Type', type]], body }));

describe('a whole number', () => {
  it.each([
    ['7', 7],
    ['-3', -3],
    ['+4', 4],
    ['0', 0],
    ['007', 7],
    ['2147483647', 2147483647],
    ['-2147483648', -2147483648],
    ['2147483648', undefined],
    ['-2147483649', undefined],
    ['99999999999999999999', undefined],
    ['', undefined],
    [' 5', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['five', undefined],
    ['0x10', undefined],
  ])('written as "%s" counts as %s', (text, number) => {
    expect(ofQuery(new URLSearchParams({ n: text }).toString()).integer('n')).toBe(number);
  });

  it('that stands for "not set" counts as unset, and so does a missing one', () => {
    expect(ofQuery('batch_size=-1').integer('batch_size', -1)).toBeUndefined();
    expect(ofQuery('batch_size=-1').integer('batch_size', -100)).toBe(-1);
    expect(ofQuery('').integer('batch_size', -1)).toBeUndefined();
  });
});

it('only the word true, in any case, is true', () => {
  const words = ['true', 'TRUE', 'True', 'false', '1', 'yes', ''];
  expect(words.map((word) => ofQuery(`b=${word}`).boolean('b', true))).toEqual([true, true, true, false, false, false, false]);
  expect([ofQuery('').boolean('b', true), ofQuery('').boolean('b', false)]).toEqual([true, false]);
});

it('of equal names the first value counts', () => {
  expect(ofQuery('url=a&url=b').text('url')).toBe('a');
});

it('a missing parameter that is required is refused by name; an empty one is not missing', () => {
  expect(() => ofQuery('').required('url')).toThrow('Parameter url is required.');
  expect(() => ofQuery('').required('url')).toThrow(expect.toSatisfy(BadRequest.is));
  expect(ofQuery('url=').required('url')).toBe('');
});

describe('a JSON body', () => {
  it('takes the place of the query', () => {
    expect(ofJson('{"model_name": "n"}').text('url')).toBeUndefined();
    expect(ofJson('{"url": "of-body"}', 'application/json; charset=utf-8').text('url')).toBe('of-body');
  });

  it('may be written with single quotes or none, and numbers and booleans as text', () => {
    const given = ofJson(`{'url': 'm.mar', batch_size: '4', initial_workers: 2, synchronous: 'false', s3_sse_kms: true}`);
    expect([given.text('url'), given.integer('batch_size'), given.integer('initial_workers')]).toEqual(['m.mar', 4, 2]);
    expect([given.boolean('synchronous', true), given.boolean('s3_sse_kms', false)]).toEqual([false, true]);
  });

  it('leaves unset what is null, a list or an object', () => {
    const given = ofJson('{"url": null, "handler": ["h"], "runtime": {"a": 1}}');
    expect([given.text('url'), given.text('handler'), given.text('runtime')]).toEqual([undefined, undefined, undefined]);
  });

  it.each(['', '{', '[]', 'null', '"text"', '{"url"}', '{"a": 1} x'])('that is no object is told so: %s', (body) => {
    expect(() => ofJson(body)).toThrow(expect.toSatisfy(JsonMalformed.is));
  });

  it('that is longer than any wish is refused unread', () => {
    const padded = (sizeBytes: number) => `{"url": "m.mar"}`.padEnd(sizeBytes);
    expect(ofJson(padded(65_536)).text('url')).toBe('m.mar');
    expect(() => ofJson(padded(65_537))).toThrow(expect.toSatisfy(BadRequest.is));
  });

  it('counts only under its media type: forms are not read', () => {
    expect(ofJson('url=of-form', 'application/x-www-form-urlencoded').text('url')).toBe('of-query');
    expect(ofJson('{"url": "of-body"}', 'text/plain').text('url')).toBe('of-query');
  });
});
