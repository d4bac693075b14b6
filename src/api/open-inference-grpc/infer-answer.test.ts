import { describe, expect, it } from 'vitest';
import { InferAnswerInvalid } from '../../errors/backend.js';
import { mixedBody } from '../../inference/binary-tensors.js';
import type { ResponsePart } from '../../inference/part.js';
import type { ModelInferRequest } from '../grpc-generated/open_inference_grpc.js';
import { inferResponse } from './infer-answer.js';

const asked = (isRaw = false): ModelInferRequest => ({
  modelName: 'asked',
  modelVersion: '2',
  id: 'q',
  parameters: new Map(),
  inputs: [],
  outputs: [],
  rawInputContents: isRaw ? [new Uint8Array()] : [],
});
const said = (text: string): ResponsePart => ({ status: 200, reason: '', headers: [], body: Buffer.from(text), last: true });
const saidOutputs = (...outputs: unknown[]): ResponsePart => said(JSON.stringify({ outputs }));
const output = (datatype: string, data: unknown[]) => ({ name: 'y', datatype, shape: [data.length], data });

describe('typed answers', () => {
  it.each([
    ['INT8', [-1], 'intContents', [-1]],
    ['INT64', [5], 'int64Contents', [5n]],
    ['UINT16', [5], 'uintContents', [5]],
    ['UINT64', [5], 'uint64Contents', [5n]],
    ['FP32', [0.1, null], 'fp32Contents', [Math.fround(0.1), Number.NaN]],
    ['FP64', [0.1], 'fp64Contents', [0.1]],
    ['BOOL', [true, 0], 'boolContents', [true, false]],
    ['BYTES', ['grüß', 7], 'bytesContents', [Buffer.from('grüß'), Buffer.from('7')]],
    ['INT32', [[1, [2]], [3]], 'intContents', [1, 2, 3]],
  ])('%s %j goes to %s', (datatype, data, field, expected) => {
    const { outputs, rawOutputContents } = inferResponse(saidOutputs(output(datatype, data)), asked());

    expect(outputs[0]?.contents).toMatchObject({ [field]: expected });
    expect(rawOutputContents).toEqual([]);
  });

  it('name the model as the handler does, or as the request did', () => {
    const named = inferResponse(said('{"id":"a","model_name":"b","model_version":"c","outputs":[]}'), asked());
    const unnamed = inferResponse(said('{"outputs":[]}'), asked());

    expect([named.id, named.modelName, named.modelVersion]).toEqual(['a', 'b', 'c']);
    expect([unnamed.id, unnamed.modelName, unnamed.modelVersion]).toEqual(['q', 'asked', '2']);
  });

  it('keep every digit of a long number, and no number that stands in a text', () => {
    const text =
      '{"outputs":[{"name":"y","datatype":"INT64","shape":[1],"data":[9223372036854775807]},{"name":"t 12345678901234567","datatype":"BYTES","shape":[1],"data":["[12345678901234567]"]}]}';

    const { outputs } = inferResponse(said(text), asked());

    expect(outputs[0]?.contents?.int64Contents).toEqual([9223372036854775807n]);
    expect(outputs[1]?.name).toBe('t 12345678901234567');
    expect(outputs[1]?.contents?.bytesContents).toEqual([Buffer.from('[12345678901234567]')]);
  });

  it('may be as long as a handler likes, with numbers that JSON lacks and texts of megabytes', () => {
    const text = 'x'.repeat(12_000_000);
    const data = `{"outputs":[{"name":"y","datatype":"BYTES","shape":[1],"data":["${text}"]},{"name":"z","datatype":"FP64","shape":[2],"data":[NaN,12345678901234567]}]}`;

    const { outputs } = inferResponse(said(data), asked());

    expect(outputs[0]?.contents?.bytesContents[0]?.byteLength).toBe(text.length);
    expect(outputs[1]?.contents?.fp64Contents).toEqual([Number.NaN, 12345678901234568]);
  });

  it('may be what Python’s json.dumps or str give', () => {
    expect(
      inferResponse(said("{'outputs': [{'name': 'y', 'datatype': 'FP32', 'shape': [2], 'data': [NaN, Infinity]}]}"), asked()).outputs[0]?.contents
        ?.fp32Contents,
    ).toEqual([Number.NaN, Number.POSITIVE_INFINITY]);
  });
});

describe('raw answers', () => {
  it('come to raw requests, all outputs in their order', () => {
    const { outputs, rawOutputContents } = inferResponse(saidOutputs(output('INT16', [1, -1]), output('BYTES', ['a'])), asked(true));

    expect(outputs.map(({ contents }) => contents)).toEqual([undefined, undefined]);
    expect(rawOutputContents.map((bytes) => [...bytes])).toEqual([
      [1, 0, 255, 255],
      [1, 0, 0, 0, 0x61],
    ]);
  });

  it('come to typed requests too where an output has no typed form', () => {
    expect(inferResponse(saidOutputs(output('FP16', [1])), asked()).rawOutputContents.map((bytes) => [...bytes])).toEqual([[0x00, 0x3c]]);
  });

  it('are taken out of a body of JSON and bytes, and unpacked for typed requests', () => {
    const bytes = Buffer.from(Float32Array.of(1.5).buffer);
    const { body, header } = mixedBody(JSON.stringify({ outputs: [{ name: 'y', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } }] }), [
      bytes,
    ]);
    const part: ResponsePart = { ...said(''), headers: [header], body };

    expect(inferResponse(part, asked(true)).rawOutputContents[0]).toEqual(bytes);
    expect(inferResponse(part, asked()).outputs[0]?.contents?.fp32Contents).toEqual([1.5]);
  });
});

it.each([
  ['no JSON', said('hello, world')],
  ['a list', said('[1]')],
  ['no outputs', said('{}')],
  ['an output without data', saidOutputs({ name: 'y', datatype: 'FP32', shape: [1] })],
  ['an output of an unknown datatype', saidOutputs(output('FP8', [1]))],
  ['a value that is none of its datatype', saidOutputs(output('INT8', [300]))],
  ['fewer bytes than it says', saidOutputs({ name: 'y', datatype: 'FP32', shape: [1], parameters: { binary_data_size: 4 } })],
])('a handler that answers %s fails the request, and is told why', (_, part) => {
  expect(() => inferResponse(part, asked())).toThrow(expect.objectContaining({ code: InferAnswerInvalid.code }));
});
