import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ModelInferRequest, GRPCInferenceServiceDefinition as OpenInference } from '../../src/api/grpc-generated/open_inference_grpc.js';
import { bytesContentsOf, contentsOf } from '../../src/api/open-inference-grpc/contents.js';
import { archive } from '../fixtures/archives.js';
import { GrpcClient } from '../fixtures/grpc-client.js';
import { RunningServer } from './running-server.js';

const TYPES = ['bool', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'float32', 'float64'];
const server = new RunningServer();
let open: GrpcClient;
let kserve: GrpcClient;

beforeAll(async () => {
  for (const name of ['double', 'identity-string', 'identity-float16', 'sum-and-product', ...TYPES.map((type) => `identity-${type}`)]) {
    copyFileSync(new URL(`../fixtures/onnx/${name}.onnx`, import.meta.url), join(server.store, `${name}.onnx`));
  }
  const models = [
    await archive(server.store, { name: 'talk', handler: 'spoken_to.py', config: 'minWorkers: 1\nmaxWorkers: 1\n' }),
    'double.onnx',
    'strings=identity-string.onnx',
    'halves=identity-float16.onnx',
    'longs=identity-int64.onnx',
    'two=sum-and-product.onnx',
    ...TYPES.map((type) => `identity_${type}=identity-${type}.onnx`),
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

  /** The values as KServe's binary form has them: typed arrays, on a little-endian machine. */
  const packed = (datatype: string, values: readonly (number | bigint | boolean)[]): Buffer => {
    const numbers = values.map(Number);
    const arrays: Readonly<Record<string, () => ArrayBufferView>> = {
      BOOL: () => Uint8Array.from(numbers),
      INT8: () => Int8Array.from(numbers),
      INT16: () => Int16Array.from(numbers),
      INT32: () => Int32Array.from(numbers),
      INT64: () => BigInt64Array.from(values.map(BigInt)),
      UINT8: () => Uint8Array.from(numbers),
      UINT16: () => Uint16Array.from(numbers),
      UINT32: () => Uint32Array.from(numbers),
      UINT64: () => BigUint64Array.from(values.map(BigInt)),
      FP32: () => Float32Array.from(numbers),
      FP64: () => Float64Array.from(numbers),
    };
    return Buffer.from(arrays[datatype]?.().buffer ?? new ArrayBuffer(0));
  };

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

  it.each<readonly [string, string, readonly (number | bigint | boolean)[]]>([
    ['bool', 'BOOL', [true, false]],
    ['int8', 'INT8', [-128, 127]],
    ['int16', 'INT16', [-32_768, 32_767]],
    ['int32', 'INT32', [-(2 ** 31), 2 ** 31 - 1]],
    ['int64', 'INT64', [-(2n ** 63n), 2n ** 63n - 1n]],
    ['uint8', 'UINT8', [0, 255]],
    ['uint16', 'UINT16', [0, 65_535]],
    ['uint32', 'UINT32', [0, 2 ** 32 - 1]],
    ['uint64', 'UINT64', [0n, 2n ** 64n - 1n]],
    ['float32', 'FP32', [Math.fround(0.1), Number.NEGATIVE_INFINITY]],
    ['float64', 'FP64', [0.1, Number.MAX_VALUE]],
  ])('carries the first and the last of %s there and back, typed and raw', async (type, datatype, values) => {
    const sent = { ...tensor('x', datatype, [1n, 2n]), contents: contentsOf(datatype, values) };

    const typed = await open.unary(modelInfer, request(`identity_${type}`, { inputs: [sent] }));
    const [bytes] = (
      await open.unary(modelInfer, request(`identity_${type}`, { inputs: [tensor('x', datatype, [1n, 2n])], rawInputContents: [packed(datatype, values)] }))
    ).rawOutputContents;

    expect(typed.outputs).toMatchObject([{ datatype, shape: [1n, 2n], contents: contentsOf(datatype, values) }]);
    expect(Buffer.from(bytes ?? [])).toEqual(packed(datatype, values));
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
