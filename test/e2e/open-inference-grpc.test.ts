import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ModelInferRequest, GRPCInferenceServiceDefinition as OpenInference } from '../../src/api/grpc-generated/open_inference_grpc.js';
import { bytesContentsOf, contentsOf } from '../../src/api/open-inference-grpc/contents.js';
import { archive } from '../fixtures/archives.js';
import { GrpcClient } from '../fixtures/grpc-client.js';
import { RunningServer } from './running-server.js';

const server = new RunningServer();
let open: GrpcClient;
let kserve: GrpcClient;

beforeAll(async () => {
  for (const name of ['double', 'identity-string', 'identity-float16', 'identity-int64', 'sum-and-product']) {
    copyFileSync(new URL(`../fixtures/onnx/${name}.onnx`, import.meta.url), join(server.store, `${name}.onnx`));
  }
  const models = [
    await archive(server.store, { name: 'talk', handler: 'spoken_to.py', config: 'minWorkers: 1\nmaxWorkers: 1\n' }),
    'double.onnx',
    'strings=identity-string.onnx',
    'halves=identity-float16.onnx',
    'longs=identity-int64.onnx',
    'two=sum-and-product.onnx',
  ];
  await server.start({ args: ['--models', ...models], config: { ts_open_inference_protocol: 'true', default_workers_per_model: '1' } });
  open = new GrpcClient(server.grpcInference, OpenInference.fullName);
  kserve = new GrpcClient(server.grpcInference, 'inference.GRPCInferenceService');
});

afterAll(async () => {
  for (const client of [open, kserve]) client?.close();
  await server.dispose();
});

describe('the Open Inference Protocol', () => {
  const { modelInfer, modelMetadata, modelReady, serverLive, serverMetadata } = OpenInference.methods;
  const request = (modelName: string, more: Partial<ModelInferRequest>): ModelInferRequest => ({
    modelName,
    modelVersion: '',
    id: 'q',
    parameters: new Map(),
    inputs: [],
    outputs: [],
    rawInputContents: [],
    ...more,
  });
  const tensor = (name: string, datatype: string, shape: readonly bigint[]) => ({
    name,
    datatype,
    shape: [...shape],
    parameters: new Map(),
    contents: undefined,
  });

  it.each([
    ['TorchServe', () => open],
    ['KServe', () => kserve],
  ])('answers under %s’s name, with the tensors of ONNX models', async (_, client) => {
    expect(await client().unary(serverLive, {})).toEqual({ live: true });
    expect(await client().unary(modelReady, { name: 'double', version: '' })).toEqual({ ready: true });
    expect(await client().unary(serverMetadata, {})).toMatchObject({ name: 'Torchserve', version: '0.12.0' });
    expect(await client().unary(modelMetadata, { name: 'double', version: '1.0' })).toEqual({
      name: 'double',
      versions: ['1.0'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1n, 3n] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1n, 3n] }],
    });
    expect(await client().unary(modelMetadata, { name: 'talk', version: '' })).toEqual({
      name: 'talk',
      versions: ['1.0'],
      platform: '',
      inputs: [],
      outputs: [],
    });
  });

  it('runs an ONNX model on typed and on raw tensors, and answers in kind', async () => {
    const values = Float32Array.of(1.5, Number.NaN, -2);
    const typed = await open.unary(
      modelInfer,
      request('double', { inputs: [{ ...tensor('x', 'FP32', [1n, 3n]), contents: contentsOf('FP32', [...values]) }] }),
    );
    const raw = await open.unary(modelInfer, request('double', { inputs: [tensor('x', 'FP32', [1n, 3n])], rawInputContents: [Buffer.from(values.buffer)] }));

    expect(typed).toMatchObject({ id: 'q', modelName: 'double', modelVersion: '1.0', rawOutputContents: [] });
    expect(typed.outputs[0]).toMatchObject({ name: 'y', shape: [1n, 3n], contents: { fp32Contents: [3, Number.NaN, -4] } });
    expect(raw.outputs[0]?.contents).toBeUndefined();
    expect(Buffer.from(raw.rawOutputContents[0] ?? [])).toEqual(Buffer.from(Float32Array.of(3, Number.NaN, -4).buffer));
  });

  it('carries strings, halves and long numbers as they are', async () => {
    const strings = await open.unary(
      modelInfer,
      request('strings', { inputs: [{ ...tensor('x', 'BYTES', [1n, 2n]), contents: bytesContentsOf([Buffer.from('grüß'), Buffer.from('')]) }] }),
    );
    const halves = await open.unary(
      modelInfer,
      request('halves', { inputs: [tensor('x', 'FP16', [1n, 2n])], rawInputContents: [Uint8Array.of(0, 0x3c, 0xff, 0x7b)] }),
    );
    const longs = await open.unary(
      modelInfer,
      request('longs', { inputs: [{ ...tensor('x', 'INT64', [1n, 2n]), contents: contentsOf('INT64', [2n ** 63n - 1n, -1n]) }] }),
    );

    expect(strings.outputs[0]?.contents?.bytesContents.map((bytes) => Buffer.from(bytes).toString())).toEqual(['grüß', '']);
    expect([...(halves.rawOutputContents[0] ?? [])]).toEqual([0, 0x3c, 0xff, 0x7b]);
    expect(longs.outputs[0]?.contents?.int64Contents).toEqual([2n ** 63n - 1n, -1n]);
  });

  it('gives only the outputs that are asked for', async () => {
    const contents = contentsOf('FP32', [1, 2]);
    const inputs = ['a', 'b'].map((name) => ({ ...tensor(name, 'FP32', [1n, 2n]), contents }));

    const { outputs } = await open.unary(modelInfer, request('two', { inputs, outputs: [{ name: 'product', parameters: new Map() }] }));

    expect(outputs).toMatchObject([{ name: 'product', contents: { fp32Contents: [1, 4] } }]);
  });

  it('gives a Python handler TorchServe’s JSON, and takes its answer', async () => {
    const typed = await open.unary(
      modelInfer,
      request('talk', { inputs: [{ ...tensor('s', 'BYTES', [1n]), contents: bytesContentsOf([Buffer.from([255])]) }] }),
    );
    const raw = await open.unary(
      modelInfer,
      request('talk', { inputs: [tensor('l', 'INT64', [1n])], rawInputContents: [Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0x40)] }),
    );

    expect(typed.outputs[0]).toMatchObject({ name: 'out-s', contents: { bytesContents: [Buffer.from('/w==')] } });
    expect([...(raw.rawOutputContents[0] ?? [])]).toEqual([1, 0, 0, 0, 0, 0, 0, 0x40]);
  });

  it.each<readonly [string, ModelInferRequest, number, string]>([
    ['a wrong shape', request('double', { inputs: [{ ...tensor('x', 'FP32', [7n]), contents: contentsOf('FP32', [1]) }] }), 3, 'got the shape [7]'],
    [
      'a wrong datatype',
      request('double', { inputs: [{ ...tensor('x', 'INT32', [1n, 3n]), contents: contentsOf('INT32', [1, 2, 3]) }] }),
      3,
      'expected datatype FP32',
    ],
    ['raw bytes cut off', request('double', { inputs: [tensor('x', 'FP32', [1n, 3n])], rawInputContents: [new Uint8Array(5)] }), 3, '12 bytes, 5 came'],
    ['an unknown tensor', request('double', { inputs: [{ ...tensor('z', 'FP32', [1n, 3n]), contents: contentsOf('FP32', [1, 2, 3]) }] }), 3, 'no input "z"'],
    [
      'an unknown output',
      request('double', {
        inputs: [{ ...tensor('x', 'FP32', [1n, 3n]), contents: contentsOf('FP32', [1, 2, 3]) }],
        outputs: [{ name: 'z', parameters: new Map() }],
      }),
      3,
      'no output "z"',
    ],
    ['no inputs', request('double', {}), 3, 'is missing'],
    ['an unknown model', request('nope', {}), 13, 'Model not found: nope'],
    ['no model', request('', {}), 13, 'Parameter model_name is required.\nBadRequestException.()'],
    ['a handler that answers nonsense', request('talk', { inputs: [tensor('broken', 'FP32', [1n])] }), 13, 'no Open Inference answer'],
  ])('refuses %s', async (_, wrong, code, words) => {
    expect(await open.failure(modelInfer, wrong)).toMatchObject({ code, details: expect.stringContaining(words) });
  });
});
