import { describe, expect, it } from 'vitest';
import { aHttpRequest, type RequestFacts } from '../../../test/fixtures/http-exchange.js';
import { FormMalformed } from '../../errors/admission.js';
import { inputsOf } from './parameters.js';

const inputs = (facts: RequestFacts, queryIsInput = false) =>
  inputsOf(aHttpRequest({ method: 'POST', ...facts }), queryIsInput).map(({ name, contentType, value }) => [
    name,
    contentType,
    Buffer.from(value).toString('utf8'),
  ]);

const typed = (contentType: string, body: string): RequestFacts => ({ headers: [['Content-Type', contentType]], body: Buffer.from(body) });
const form = (body: string): RequestFacts => typed('application/x-www-form-urlencoded', body);

describe('a body that is no form', () => {
  it('is one input `body` with its bare media type', () => {
    expect(inputs(typed('Application/JSON; charset=utf-8', '{"a": 1}'))).toEqual([['body', 'application/json', '{"a": 1}']]);
    expect(inputs({ body: 'raw' })).toEqual([['body', '', 'raw']]);
  });

  it('is there when it is empty', () => {
    expect(inputs({ method: 'GET' })).toEqual([['body', '', '']]);
  });

  it('is passed on without a copy', () => {
    const body = Buffer.from('x');

    expect(inputsOf(aHttpRequest({ body }), false)[0]?.value).toBe(body);
  });
});

describe('a multipart form', () => {
  it('is one input per part', () => {
    const body = '--x\r\nContent-Disposition: form-data; name="data"; filename="k.jpg"\r\nContent-Type: image/jpeg\r\n\r\nJPEG\r\n--x--\r\n';

    expect(inputs(typed('multipart/form-data; boundary=x', body))).toEqual([['data', 'image/jpeg', 'JPEG']]);
  });

  it('without a boundary is taken raw', () => {
    expect(inputs(typed('multipart/form-data', 'abc'))).toEqual([['body', 'multipart/form-data', 'abc']]);
  });

  it('that is broken is TorchServe’s 500 with the decoder’s name', () => {
    expect(() => inputs(typed('multipart/form-data; boundary=x', 'abc'))).toThrow(
      expect.toSatisfy((error) => FormMalformed.is(error) && error.rendering.http === 500 && error.rendering.type === 'ErrorDataDecoderException'),
    );
  });
});

describe('an urlencoded form', () => {
  it('is one input per pair, decoded, equal names too', () => {
    expect(inputs(form('data=a+b%20%C3%BC&b=1%3D2=3&data=2'))).toEqual([
      ['data', '', 'a b ü'],
      ['b', '', '1=2=3'],
      ['data', '', '2'],
    ]);
  });

  it('of text without = and & has no inputs: what `curl -d` makes of JSON', () => {
    expect(inputs(form('{"data": [1, 2]}'))).toEqual([]);
    expect(inputs(form(''))).toEqual([]);
  });

  it('counts a name without a value only when something follows, and ends at a line break', () => {
    expect(inputs(form('flag&a=1&&last'))).toEqual([
      ['flag', '', ''],
      ['a', '', '1'],
    ]);
    expect(inputs(form('a=1\r\nb=2&c=3'))).toEqual([['a', '', '1']]);
  });

  it.each([
    ['a broken escape in a value', 'b=1&a=xy%zz', "Invalid hex byte at index '2' in string: 'xy%zz'"],
    ['a value that ends within an escape', 'a=x%4', "Invalid hex byte at index '1' in string: 'x%4'"],
    ['a broken escape in a name', 'b=1&a%4=1', "Bad string: 'a%4'"],
    ['no name', 'a=1&=c', 'A form field has no name'],
  ])('with %s is TorchServe’s 500 with the decoder’s name', (_, body, message) => {
    expect(() => inputs(form(body))).toThrow(expect.toSatisfy((error) => FormMalformed.is(error) && error.message === message));
  });
});

describe('the query', () => {
  it('comes before the body where the path passes it on, so that an equal name of the body wins', () => {
    expect(inputs({ target: '/m/predict?a=1&b=x%20y&a=2', ...form('a=3') }, true)).toEqual([
      ['a', '', '1'],
      ['b', '', 'x y'],
      ['a', '', '2'],
      ['a', '', '3'],
    ]);
  });

  it('is dropped elsewhere', () => {
    expect(inputs({ target: '/predictions/m?a=1', body: 'x' })).toEqual([['body', '', 'x']]);
  });
});
