import { describe, expect, it } from 'vitest';
import { BadInput } from '../../errors/backend.js';
import { mixedBodyOf } from '../../inference/binary-tensors.js';
import type { InferTensorContents, ModelInferRequest, ModelInferRequest_InferInputTensor } from '../grpc-generated/open_inference_grpc.js';
import { bytesContentsOf, contentsOf } from './contents.js';
import { assertOneForm, handlerInput, type InferInput, tensorInput } from './infer-input.js';

const tensor = (name: string, datatype: string, shape: readonly bigint[], contents?: InferTensorContents): ModelInferRequest_InferInputTensor => ({
  name,
  datatype,
  shape: [...shape],
  parameters: new Map(),
  contents,
});
const request = (inputs: ModelInferRequest_InferInputTensor[], rawInputContents: Uint8Array[] = []): ModelInferRequest => ({
  modelName: 'm',
  modelVersion: '',
  id: 'i',
  parameters: new Map(),
  inputs,
  outputs: [],
  rawInputContents,
});
const json = (made: InferInput): unknown => JSON.parse(Buffer.from(made.input.value).toString());

async function refusal(make: () => unknown): Promise<string> {
  try {
    await make();
  } catch (error) {
    if (BadInput.is(error)) return error.message;
    throw error;
  }
  return 'taken';
}

describe('what a handler gets', () => {
  it('is TorchServe’s JSON, typed contents as they are and BYTES in base64', async () => {
    const made = await handlerInput(
      request([
        tensor('f', 'FP32', [2n], contentsOf('FP32', [1.5, -2])),
        tensor('l', 'UINT64', [1n], contentsOf('UINT64', [7n])),
        tensor('b', 'BOOL', [1n], contentsOf('BOOL', [true])),
        tensor('s', 'BYTES', [1n], bytesContentsOf([Buffer.from([255])])),
        tensor('h', 'FP16', [1n]),
      ]),
    );

    expect(made.input.contentType).toBe('application/json');
    expect(json(made)).toEqual({
      id: 'i',
      model_name: 'm',
      inputs: [
        { name: 'f', shape: [2], datatype: 'FP32', data: [1.5, -2] },
        { name: 'l', shape: [1], datatype: 'UINT64', data: [7] },
        { name: 'b', shape: [1], datatype: 'BOOL', data: [true] },
        { name: 's', shape: [1], datatype: 'BYTES', data: ['/w=='] },
        { name: 'h', shape: [1], datatype: 'FP16' },
      ],
    });
  });

  it('is the same when the values come raw, to the last digit', async () => {
    const made = await handlerInput(
      request(
        [tensor('l', 'INT64', [1n]), tensor('h', 'FP16', [2n]), tensor('s', 'BYTES', [2n])],
        [Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127), Uint8Array.of(0, 0x38, 0, 0xc0), Uint8Array.of(1, 0, 0, 0, 0x61, 0, 0, 0, 0)],
      ),
    );

    expect(Buffer.from(made.input.value).toString()).toContain('"data":[9223372036854775807]');
    expect(json(made)).toMatchObject({ inputs: [{}, { data: [0.5, -2] }, { data: ['YQ==', ''] }] });
  });

  it('lets others have their turn where the numbers are many', async () => {
    let hadTheirTurn = false;
    setImmediate(() => {
      hadTheirTurn = true;
    });

    const made = await handlerInput(request([tensor('x', 'UINT8', [20_001n])], [new Uint8Array(20_001)]));

    expect(hadTheirTurn).toBe(true);
    expect(json(made)).toMatchObject({ inputs: [{ data: { length: 20_001 } }] });
  });

  it('tells what else was asked for', async () => {
    const asked = request([]);
    asked.parameters.set('n', { parameterChoice: { $case: 'int64Param', value: 2n ** 60n } });
    asked.outputs.push({ name: 'y', parameters: new Map([['b', { parameterChoice: { $case: 'boolParam', value: true } }]]) });

    expect(Buffer.from((await handlerInput(asked)).input.value).toString()).toBe(
      '{"id":"i","model_name":"m","inputs":[],"parameters":{"n":1152921504606846976},"outputs":[{"name":"y","parameters":{"b":true}}]}',
    );
  });

  it.each<readonly [string, () => unknown, string]>([
    ['fewer bytes than the shape says', () => handlerInput(request([tensor('x', 'FP32', [2n])], [new Uint8Array(4)])), 'of shape [2] has 8 bytes, 4 came'],
    ['a shape of huge axes', () => handlerInput(request([tensor('x', 'INT8', [2n ** 62n, 8n])], [new Uint8Array(4)])), '4 came'],
    ['a negative axis', () => handlerInput(request([tensor('x', 'INT8', [-1n, -4n])], [new Uint8Array(4)])), '4 came'],
    ['BYTES cut off', () => handlerInput(request([tensor('x', 'BYTES', [1n])], [Uint8Array.of(9, 0, 0, 0, 1)])), 'do not add up'],
    ['an unknown datatype, raw', () => handlerInput(request([tensor('x', 'BF16', [1n])], [new Uint8Array(2)])), '"BF16" is not known'],
    ['NaN', () => handlerInput(request([tensor('x', 'FP32', [1n], contentsOf('FP32', [Number.NaN]))])), 'no NaN'],
    [
      'a value that its datatype cannot hold',
      () => handlerInput(request([tensor('x', 'UINT8', [1n], contentsOf('UINT32', [256]))])),
      'not all values are UINT8',
    ],
  ])('refuses %s', async (_, make, words) => {
    expect(await refusal(make)).toContain(words);
  });
});

describe('what a model that takes tensors gets', () => {
  it('is JSON and bytes, whether the values were typed or raw', () => {
    const typed = tensorInput(
      request([tensor('x', 'FP32', [2n], contentsOf('FP32', [1, Number.NaN])), tensor('s', 'BYTES', [1n], bytesContentsOf([Buffer.from('a')]))]),
    );
    const bytes = [Buffer.from(Float32Array.of(1, Number.NaN).buffer), Buffer.from([1, 0, 0, 0, 0x61])];
    const raw = tensorInput(request([tensor('x', 'FP32', [2n]), tensor('s', 'BYTES', [1n])], bytes));

    expect(Buffer.from(typed.input.value)).toEqual(Buffer.from(raw.input.value));
    const mixed = mixedBodyOf(typed.headers, typed.input.value);
    if (mixed === undefined || mixed === 'broken') throw new Error('no mixed body');
    expect(Buffer.from(mixed.bytes)).toEqual(Buffer.concat(bytes));
    expect(JSON.parse(Buffer.from(mixed.json).toString())).toEqual({
      id: 'i',
      parameters: { binary_data_output: true },
      inputs: [
        { name: 'x', shape: [2], datatype: 'FP32', parameters: { binary_data_size: 8 } },
        { name: 's', shape: [1], datatype: 'BYTES', parameters: { binary_data_size: 5 } },
      ],
      outputs: [],
    });
  });

  it('refuses FP16 that is typed, and datatypes that there are not', async () => {
    expect(await refusal(() => tensorInput(request([tensor('x', 'FP16', [1n])])))).toContain('raw_input_contents');
    expect(await refusal(() => tensorInput(request([tensor('x', 'FP8', [1n])])))).toContain('"FP8" is not known');
  });
});

describe('raw contents', () => {
  it('are one per input', async () => {
    expect(await refusal(() => assertOneForm(request([tensor('x', 'FP32', [1n])], [])))).toBe('taken');
    expect(await refusal(() => assertOneForm(request([tensor('x', 'FP32', [1n])], [new Uint8Array(), new Uint8Array()])))).toBe(
      'raw_input_contents has 2 elements for 1 inputs.',
    );
  });

  it('are not mixed with typed ones', async () => {
    expect(await refusal(() => assertOneForm(request([tensor('x', 'FP32', [1n], contentsOf('FP32', [1]))], [new Uint8Array(4)])))).toContain(
      'in contents and in raw_input_contents',
    );
  });
});
