import { copyFileSync, cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mixedBody, mixedBodyOf } from '../../src/inference/binary-tensors.js';
import { writeBytesElements } from '../../src/inference/bytes-elements.js';
import { archive } from '../fixtures/archives.js';
import { call, type HttpResult, RunningServer } from './running-server.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TYPES = ['float32', 'float64', 'float16', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'bool', 'string'];
const server = new RunningServer();
const enveloped = new RunningServer();

beforeAll(async () => {
  for (const name of [...TYPES.map((type) => `identity-${type}`), 'sum-and-product'])
    copyFileSync(join(ROOT, 'test/fixtures/onnx', `${name}.onnx`), join(server.store, `${name}.onnx`));
  cpSync(join(ROOT, 'demo/store/digits'), join(server.store, 'digits'), { recursive: true });
  for (const version of ['1.0', '2.0']) await archive(server.store, { name: 'handled', version, handler: 'open_inference.py:handle' });
  await archive(server.store, { name: 'scripted', handler: 'scripted.py' });
  await archive(enveloped.store, { name: 'twice', handler: 'twice.py:handle' });
  const config = { ts_open_inference_protocol: 'true', default_workers_per_model: '1', load_models: 'all' };
  await Promise.all([server.start({ config }), enveloped.start({ config: { ...config, service_envelope: 'kservev2' } })]);
});

afterAll(() => Promise.all([server.dispose(), enveloped.dispose()]));

const get = (path: string) => call(`${server.inference}${path}`);

function infer(model: string, json: object, parts: readonly Uint8Array[] = [], { inference } = server): Promise<HttpResult> {
  const { body, header } = mixedBody(JSON.stringify(json), parts);
  const headers = parts.length === 0 ? { 'content-type': 'application/json' } : { 'content-type': 'application/octet-stream', [header[0]]: header[1] };
  return call(`${inference}/v2/models/${model}/infer`, { method: 'POST', body, headers });
}

const packed = (name: string, datatype: string, shape: readonly number[], bytes: Uint8Array) => ({
  name,
  datatype,
  shape,
  parameters: { binary_data_size: bytes.byteLength },
});

/** The JSON and the bytes of an answer. */
function taken({ headers, body }: HttpResult) {
  const mixed = mixedBodyOf(
    Object.entries(headers).map(([name, value]) => [name, String(value)] as const),
    body,
  );
  if (mixed === undefined || mixed === 'broken') throw new Error(`no binary answer: ${body.toString()}`);
  return { json: JSON.parse(Buffer.from(mixed.json).toString()), bytes: Buffer.from(mixed.bytes) };
}

const floats = (...values: number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);

describe('the server', () => {
  it('is live and ready, and tells what it is', async () => {
    expect((await get('/v2/health/live')).json()).toEqual({ live: true });
    expect((await get('/v2/health/ready')).json()).toEqual({ ready: true });
    expect((await get('/v2')).json()).toMatchObject({ name: 'Torchserve', extensions: ['binary_tensor_data'] });
    expect((await get('/v1/models')).json()).toMatchObject({ models: expect.arrayContaining(['handled', 'sum_and_product']) });
  });

  it('tells the real tensors of its models', async () => {
    const tensor = (name: string) => ({ name, datatype: 'FP32', shape: [-1, 2] });

    expect((await get('/v2/models/sum_and_product')).json()).toEqual({
      name: 'sum_and_product',
      versions: ['1.0'],
      platform: 'onnxruntime_onnx',
      inputs: [tensor('a'), tensor('b')],
      outputs: [tensor('sum'), tensor('product')],
    });
    expect((await get('/v2/models/handled/versions/2.0')).json()).toMatchObject({ name: 'handled', versions: ['1.0', '2.0'], inputs: [] });
    expect((await get('/v2/models/handled/versions/2.0/ready')).json()).toEqual({ name: 'handled', ready: true });
  });

  it('says that a model without workers is not ready', async () => {
    await server.manage('PUT', '/models/identity_int8?min_worker=0&synchronous=true');

    const [v2, v1] = [await get('/v2/models/identity_int8/ready'), await get('/v1/models/identity_int8')];

    for (const { status, json } of [v2, v1]) expect([status, json()]).toEqual([503, { name: 'identity_int8', ready: false }]);
    await server.manage('PUT', '/models/identity_int8?min_worker=1&synchronous=true');
  });
});

describe('an ONNX model', () => {
  it.each(TYPES)('of %s takes and gives JSON and bytes alike', async (type) => {
    const values = type === 'bool' ? [true, false] : type === 'string' ? ['ä', ''] : [1, 2];
    const { datatype } = Object(Object((await get(`/v2/models/identity_${type}`)).json()).inputs[0]);
    const asked = (binary: boolean) => [{ name: 'y', parameters: { binary_data: binary } }];
    const tensor = { name: 'x', datatype, shape: [1, 2] };

    const bytes = taken(await infer(`identity_${type}`, { inputs: [{ ...tensor, data: values }], outputs: asked(true) })).bytes;
    const back = await infer(`identity_${type}`, { id: 'me', inputs: [packed('x', datatype, [1, 2], bytes)], outputs: asked(false) }, [bytes]);

    expect(back.json()).toMatchObject({ id: 'me', outputs: [{ name: 'y', datatype, shape: [1, 2], data: values }] });
  });

  it('gives the outputs that were asked for, each in its form', async () => {
    const inputs = [packed('a', 'FP32', [1, 2], floats(1, 2)), { name: 'b', datatype: 'FP32', shape: [1, 2], data: [[3, 4]] }];
    const outputs = [{ name: 'product', parameters: { binary_data: true } }];

    const one = taken(await infer('sum_and_product', { inputs, outputs }, [floats(1, 2)]));
    const all = taken(await infer('sum_and_product', { inputs, parameters: { binary_data_output: true } }, [floats(1, 2)]));

    expect(one.json.outputs).toEqual([packed('product', 'FP32', [1, 2], floats(3, 8))]);
    expect(one.bytes).toEqual(floats(3, 8));
    expect(all.bytes).toEqual(floats(4, 6, 3, 8));
  });

  it('with a pipeline takes pictures and gives labels, by the names of its metadata', async () => {
    const picture = writeBytesElements([readFileSync(join(ROOT, 'demo/images/7.png'))]);

    const answer = await infer('digits', { inputs: [packed('image', 'BYTES', [1], picture)], outputs: [{ name: 'predictions' }] }, [picture]);

    const [{ data }] = Object(answer.json()).outputs;
    expect(Object.keys(JSON.parse(data[0]))[0]).toBe('seven');
  });

  const a = packed('a', 'FP32', [1, 2], floats(1, 2));
  const b = packed('b', 'FP32', [1, 2], floats(3, 4));
  it.each<[string, object, Uint8Array, string]>([
    ['a missing tensor', { inputs: [a] }, floats(1, 2), 'Input "b" is missing'],
    ['an unknown tensor', { inputs: [a, { ...b, name: 'c' }] }, floats(1, 2, 3, 4), 'The model has no input "c".'],
    ['a tensor twice', { inputs: [a, { ...b, name: 'a' }] }, floats(1, 2, 3, 4), 'Input "a" was sent twice.'],
    ['another datatype', { inputs: [a, { ...b, datatype: 'INT32' }] }, floats(1, 2, 3, 4), 'Input "b": expected datatype FP32, got INT32.'],
    ['another shape', { inputs: [a, { ...b, shape: [1, 3] }] }, floats(1, 2, 3, 4), 'Input "b": expected float32 of shape [N, 2], got the shape [1, 3].'],
    ['a shape of other size', { inputs: [a, { ...b, shape: [2, 2] }] }, floats(1, 2, 3, 4), 'Input "b": the shape [2, 2] has 16 bytes, 8 came.'],
    ['bytes that are cut off', { inputs: [a, b] }, floats(1, 2, 3), 'Input "b": 8 bytes were announced, 4 are there.'],
    ['bytes that are left over', { inputs: [a, b] }, floats(1, 2, 3, 4, 5), '4 bytes after the last input belong to none.'],
    ['an unknown output', { inputs: [a, b], outputs: [{ name: 'z' }] }, floats(1, 2, 3, 4), 'The model has no output "z". It has "sum", "product".'],
    ['shared memory', { inputs: [{ ...a, parameters: { shared_memory_region: 'r' } }] }, floats(), 'Input "a": shared memory is not supported.'],
  ])('refuses %s with a word', async (_what, json, bytes, message) => {
    const { status, headers, json: told } = await infer('sum_and_product', json, [bytes]);

    expect([status, headers['x-sconce-reason']]).toEqual([400, 'bad_input']);
    expect(Object(told()).error).toContain(message);
    expect(Object(told()).message).toBe(Object(told()).error);
  });
});

describe('a handler', () => {
  const bytes = Buffer.from(BigInt64Array.of(2n ** 61n).buffer);

  it('gets bytes as JSON and answers in the form that was asked for, in each version', async () => {
    const json = { id: 'q', inputs: [packed('x', 'INT64', [1], bytes)], parameters: { binary_data_output: true } };

    for (const version of ['1.0', '2.0']) {
      const answer = taken(await infer(`handled/versions/${version}`, json, [bytes]));

      expect(answer.json).toMatchObject({ id: 'q', model_version: version, outputs: [{ name: 'twice_x', datatype: 'INT64', shape: [1] }] });
      expect(answer.bytes.readBigInt64LE()).toBe(2n ** 62n);
    }
  });

  it('behind the kservev2 envelope has tensors in and out', async () => {
    const json = { inputs: [packed('x', 'FP32', [1, 2], floats(1.5, 2))], outputs: [{ name: 'x', parameters: { binary_data: true } }] };

    const answer = taken(await infer('twice', { ...json, id: 'q' }, [floats(1.5, 2)], enveloped));

    // The envelope knows no single precision: Python's floats are double.
    expect(answer.json).toMatchObject({ id: 'q', model_name: 'twice', outputs: [{ name: 'x', datatype: 'FP64', shape: [2] }] });
    expect(new Float64Array(new Uint8Array(answer.bytes).buffer)).toEqual(Float64Array.of(3, 4));
  });

  it('streams events to who accepts them, and tells a failure midway as one', async () => {
    const stream = (body: object) =>
      server.predict('scripted', { body: JSON.stringify(body), headers: { 'content-type': 'application/json', accept: 'text/event-stream' } });

    const whole = await stream({ do: 'stream', parts: 2 });
    const broken = await stream({ do: 'stream', parts: 1, die: true });

    expect([whole.headers['content-type'], whole.text]).toEqual(['text/event-stream', 'data: part 0 \n\ndata: part 1 \n\ndata: end\n\n']);
    expect(broken.text).toBe('data: part 0 \n\nevent: error\ndata: {"code":500,"type":"InternalServerException","message":"Worker died."}\n\n');
  });
});
