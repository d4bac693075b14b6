import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InferenceAPIsServiceDefinition as Inference, type PredictionsRequest } from '../../src/api/grpc-generated/inference.js';
import { ManagementAPIsServiceDefinition as Management } from '../../src/api/grpc-generated/management.js';
import { type ModelInferRequest, GRPCInferenceServiceDefinition as OpenInference } from '../../src/api/grpc-generated/open_inference_grpc.js';
import { mixedBody } from '../../src/inference/binary-tensors.js';
import { archive } from '../fixtures/archives.js';
import { collected, GrpcClient } from '../fixtures/grpc-client.js';
import { call, RunningServer } from './running-server.js';

const LARGEST = 100_000;
const TOO_LARGE = LARGEST + 1;
const server = new RunningServer();
const clients: GrpcClient[] = [];
let inference: GrpcClient;
let open: GrpcClient;

beforeAll(async () => {
  copyFileSync(new URL('../fixtures/onnx/double.onnx', import.meta.url), join(server.store, 'double.onnx'));
  const talk = await archive(server.store, { name: 'talk', handler: 'spoken_to.py', config: 'minWorkers: 1\nmaxWorkers: 1\n' });
  const config = { ts_open_inference_protocol: 'true', default_workers_per_model: '1', max_request_size: String(LARGEST) };
  await server.start({ args: ['--models', 'double.onnx', talk], config });
  inference = client(server.grpcInference, Inference.fullName);
  open = client(server.grpcInference, OpenInference.fullName);
});

afterAll(async () => {
  for (const one of clients) one.close();
  await server.dispose();
});

function client(address: string, service: string): GrpcClient {
  const made = new GrpcClient(address, service);
  clients.push(made);
  return made;
}

const TENSOR = { name: 'x', shape: [1, 3], datatype: 'FP32', data: [1, 2, 3] };
const JSON_TYPE = { 'content-type': 'application/json' };

function post(path: string, body: string | Uint8Array, headers: Readonly<Record<string, string>> = JSON_TYPE) {
  return call(`${server.inference}${path}`, { method: 'POST', body, headers });
}

function wish(input: Readonly<Record<string, Uint8Array | string>>, modelName = 'double', sequenceId?: string): PredictionsRequest {
  return { modelName, modelVersion: '', sequenceId, input: new Map(Object.entries(input).map(([name, value]) => [name, Buffer.from(value as string)])) };
}

describe('tensors that don’t fit', () => {
  it.each<[string, unknown, string]>([
    ['another shape', { inputs: [{ ...TENSOR, shape: [1, 2], data: [1, 2] }] }, 'got the shape [1, 2]'],
    ['another datatype', { inputs: [{ ...TENSOR, datatype: 'INT32' }] }, 'expected datatype FP32, got INT32'],
    ['fewer values than the shape has', { inputs: [{ ...TENSOR, data: [1, 2] }] }, 'Input "x"'],
    ['words in the place of numbers', { inputs: [{ ...TENSOR, data: ['a', 'b', 'c'] }] }, 'Input "x"'],
    ['an unknown name', { inputs: [{ ...TENSOR, name: 'z' }] }, 'no input "z"'],
    ['no tensors', { inputs: [] }, 'Input "x"'],
    ['a shape that is none', { inputs: [{ ...TENSOR, shape: [-1, 3] }] }, 'shape'],
    ['nothing at all', {}, 'names none of the model'],
  ])('as JSON of the Open Inference Protocol, with %s, are 400 with a word', async (_what, json, words) => {
    const { status, headers, json: told } = await post('/v2/models/double/infer', JSON.stringify(json));

    expect([status, headers['x-sconce-reason']]).toEqual([400, 'bad_input']);
    expect(Object(told()).error).toContain(words);
  });

  it('as JSON that is cut off are 400', async () => {
    expect(await post('/v2/models/double/infer', '{"inputs": [')).toMatchObject({ status: 400, headers: { 'x-sconce-reason': 'bad_input' } });
  });

  it.each<[string, number, string]>([
    ['bytes that are cut off', 8, 'are there'],
    ['bytes that are left over', 16, 'belong to none'],
  ])('as %s are 400', async (_what, sizeBytes, words) => {
    const packed = { ...TENSOR, data: undefined, parameters: { binary_data_size: 12 } };
    const { body, header } = mixedBody(JSON.stringify({ inputs: [packed] }), [new Uint8Array(sizeBytes)]);

    const answer = await post('/v2/models/double/infer', body, { [header[0]]: header[1] });

    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(words)]);
  });

  it('behind a length of JSON that is longer than the body are 400', async () => {
    const answer = await post('/v2/models/double/infer', '{}', { 'inference-header-content-length': '1000' });

    expect(answer.status).toBe(400);
  });

  it.each([
    ['TorchServe’s predictions', '/predictions/double', '[1, 2]'],
    ['TorchServe’s predictions of a version', '/predictions/double/1.0', '"three"'],
    ['SageMaker’s invocations', '/invocations?model_name=double', '[[1, 2, 3, 4]]'],
    ['KServe’s first protocol', '/v1/models/double:predict', '{"instances": [[1, 2]]}'],
  ])('at %s are 400', async (_door, path, body) => {
    const { status, headers } = await post(path, body);

    expect([status, headers['x-sconce-reason']]).toEqual([400, 'bad_input']);
  });

  it('by gRPC are INVALID_ARGUMENT, alone and in streams', async () => {
    const { predictions, streamPredictions, streamPredictions2 } = Inference.methods;
    const stream = inference.stream(streamPredictions2);
    const answered = collected(stream);
    stream.write(wish({ data: '[1, 2]' }, 'double', 's'));
    stream.end(wish({ data: '[1, 2, 3]' }, 'double', 's'));

    expect(await inference.failure(predictions, wish({ data: '[1, 2]' }))).toMatchObject({ code: 3 });
    expect((await collected(inference.serverStream(streamPredictions, wish({ data: '{' })))).end).toMatchObject({ code: 3 });
    const { messages, end } = await answered;
    expect([messages[0]?.status?.code, Buffer.from(messages[1]?.prediction ?? []).toString(), end.code]).toEqual([3, '[2,4,6]', 0]);
  });
});

describe('a message above the limit', () => {
  it.each(['/predictions/double', '/explanations/double', '/invocations?model_name=double', '/v1/models/double:predict', '/v2/models/double/infer'])(
    'is 413 at %s',
    async (path) => {
      const { status, body } = await post(path, new Uint8Array(TOO_LARGE));

      expect([status, body.length]).toEqual([413, 0]);
    },
  );

  it('is RESOURCE_EXHAUSTED at every gRPC method that takes one', async () => {
    const { predictions, streamPredictions, streamPredictions2 } = Inference.methods;
    const much = wish({ data: new Uint8Array(TOO_LARGE) }, 'double', 's');
    const stream = inference.stream(streamPredictions2);
    const answered = collected(stream);
    stream.on('error', () => {});
    stream.write(much);
    const raw: ModelInferRequest = {
      modelName: 'double',
      modelVersion: '',
      id: '',
      parameters: new Map(),
      inputs: [],
      outputs: [],
      rawInputContents: [new Uint8Array(TOO_LARGE)],
    };
    const management = client(server.grpcManagement, Management.fullName);
    const name = { modelName: 'x'.repeat(TOO_LARGE), modelVersion: '' };

    expect(await inference.failure(predictions, much)).toMatchObject({ code: 8 });
    expect((await collected(inference.serverStream(streamPredictions, much))).end).toMatchObject({ code: 8 });
    expect((await answered).end).toMatchObject({ code: 8 });
    expect(await open.failure(OpenInference.methods.modelInfer, raw)).toMatchObject({ code: 8 });
    expect(await management.failure(Management.methods.unregisterModel, name)).toMatchObject({ code: 8 });
  });
});

it('after all that, each door answers a good request', async () => {
  const { predictions } = Inference.methods;

  expect((await post('/predictions/double', '[1, 2, 3]')).text).toBe('[2,4,6]');
  expect((await post('/v2/models/double/infer', JSON.stringify({ inputs: [TENSOR] }))).json()).toMatchObject({ outputs: [{ data: [2, 4, 6] }] });
  expect(Buffer.from((await inference.unary(predictions, wish({ data: '[1, 2, 3]' }))).prediction).toString()).toBe('[2,4,6]');
  expect(await open.unary(OpenInference.methods.modelReady, { name: 'talk', version: '' })).toEqual({ ready: true });
});
