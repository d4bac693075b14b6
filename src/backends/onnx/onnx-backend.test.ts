import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aServableModel, buildThreads, DrivenRunner, ONNX_FIXTURES } from '../../../test/fixtures/driven-runner.js';
import { ResponseTooLarge } from '../../errors/backend.js';
import type { RunnerSpec } from '../backend.js';
import { OnnxBackend } from './onnx-backend.js';

const backend = new OnnxBackend({ maxImagePixels: 1_000_000 });
const folder = mkdtempSync(join(tmpdir(), 'sconce-onnx-'));
let running: DrivenRunner[] = [];

beforeAll(() => {
  buildThreads();
  copyFileSync(join(ONNX_FIXTURES, 'colour.onnx'), join(folder, 'colour.onnx'));
  writeFileSync(join(folder, 'index_to_name.json'), '{"0": ["n1", "red"], "1": ["n2", "green"], "2": ["n3", "blue"]}');
});

afterEach(async () => {
  await Promise.all(running.map(({ runner }) => runner.stop(5000)));
  running = [];
});

afterAll(async () => {
  await backend.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function loaded(file: string, pipeline?: unknown, spec: Partial<RunnerSpec> = {}, directory = ONNX_FIXTURES): Promise<DrivenRunner> {
  const model = aServableModel({ directory, serializedFile: file, raw: pipeline === undefined ? {} : { pipeline } });
  const driven = await DrivenRunner.loaded(backend, model, spec);
  running.push(driven);
  return driven;
}

async function texts(driven: DrivenRunner, ...bodies: Parameters<DrivenRunner['batch']>[0]): Promise<readonly string[]> {
  return (await driven.batch(bodies)).map(({ status, text }) => (status === 200 ? text : `${status} ${text}`));
}

const bytes = (...values: readonly number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
const named = (name: string, contentType: string, value: string | Uint8Array) => ({ name, contentType, value: Buffer.from(value) });

describe('a batch', () => {
  it('every request gets its own rows back, whatever form and number of rows it came in', async () => {
    const driven = await loaded('double.onnx');

    const answers = await texts(
      driven,
      '[1,2,3]',
      '[[1,2,3],[4,5,6]]',
      '{"x":[[7,8,9]]}',
      '{"instances":[[1,1,1],{"x":[2,2,2]}]}',
      '{"id":"q","inputs":[{"name":"x","shape":[2,3],"datatype":"FP32","data":[1,2,3,4,5,6]}]}',
      '{"data":[[0.5,0,0]]}',
      bytes(1, 2, 3, 4, 5, 6),
      [named('x', 'application/octet-stream', bytes(3, 3, 3))],
    );

    expect(answers).toEqual([
      '[2,4,6]',
      '[[2,4,6],[8,10,12]]',
      '[[14,16,18]]',
      '{"predictions":[[2,2,2],[4,4,4]]}',
      '{"id":"q","model_name":"m","model_version":"1.0","outputs":[{"name":"y","datatype":"FP32","shape":[2,3],"data":[2,4,6,8,10,12]}]}',
      '[[1,0,0]]',
      '[[2,4,6],[8,10,12]]',
      '[6,6,6]',
    ]);
  });

  it('a request with bad input is told what is wrong, and the others are answered', async () => {
    const driven = await loaded('double.onnx');

    const ended = await driven.batch(['[1,2,3]', '[1,2]', '[[4,5,6]]', 'x']);

    expect(ended.map(({ status }) => status)).toEqual([200, 400, 200, 400]);
    expect(ended[1]?.text).toBe('Input "x": expected float32 of shape [N, 3], got an array of shape [2].');
    expect(ended[1]?.error?.code).toBe('BAD_INPUT');
  });

  it('a request whose values the model itself refuses fails alone', async () => {
    const driven = await loaded('embedding.onnx');

    const ended = await driven.batch(['[1,2]', '[1,20]', '[[3]]']);

    expect(ended.map(({ status }) => status)).toEqual([200, 503, 200]);
    expect(ended[0]?.text).toBe('[[3,4,5],[6,7,8]]');
    expect(ended[1]?.text).toMatch(/^Prediction failed: indices element out of data bounds/);
    expect(ended[2]?.text).toBe('[[[9,10,11]]]');
  });

  it('requests of different lengths run apart', async () => {
    expect(await texts(await loaded('embedding.onnx'), '[[0]]', '[[0,0]]', '[[0]]')).toEqual(['[[[0,1,2]]]', '[[[0,1,2],[0,1,2]]]', '[[[0,1,2]]]']);
  });

  it('a model whose answer has no row per row never mixes requests', async () => {
    expect(await texts(await loaded('column-mean.onnx'), '[[1,2,3],[3,4,5]]', '[[0,0,0]]')).toEqual(['[2,3,4]', '[0,0,0]']);
    expect(await texts(await loaded('positive-rows.onnx'), '[1,-1]', '[2,3]')).toEqual(['[1]', '[2,3]']);
  });

  it('a model told to join whose answer then has no row per row is found out', async () => {
    const driven = await loaded('positive-rows.onnx', { joinRequests: true });

    expect(await texts(driven, '[1,-1]', '[2,3]')).toEqual(['[1]', '[2,3]']);
  });

  it('a model of exactly one row answers request by request', async () => {
    expect(await texts(await loaded('double-one-row.onnx'), '[[1,2],[3,4]]', '[[[1,1],[1,1]]]', '{"instances":[[1,2,3,4],[5,6,7,8]]}')).toEqual([
      '[[2,4],[6,8]]',
      '[[[2,2],[2,2]]]',
      '{"predictions":[[[2,4],[6,8]],[[10,12],[14,16]]]}',
    ]);
  });
});

describe('several inputs and outputs', () => {
  it('go by name, in JSON, in form fields and in KServe v2', async () => {
    const driven = await loaded('sum-and-product.onnx');
    const v2 = (name: string, data: readonly number[]) => ({ name, shape: [1, 2], datatype: 'FP32', data });

    expect(
      await texts(
        driven,
        '{"a":[[1,2]],"b":[[3,4]]}',
        '{"instances":[{"a":[1,2],"b":[3,4]}]}',
        [named('a', '', '[1,2]'), named('b', 'application/octet-stream', bytes(3, 4))],
        JSON.stringify({ inputs: [v2('a', [1, 2]), v2('b', [3, 4])], outputs: [{ name: 'product' }] }),
      ),
    ).toEqual([
      '{"sum":[[4,6]],"product":[[3,8]]}',
      '{"predictions":[{"sum":[4,6],"product":[3,8]}]}',
      '{"sum":[4,6],"product":[3,8]}',
      '{"model_name":"m","model_version":"1.0","outputs":[{"name":"product","datatype":"FP32","shape":[1,2],"data":[3,8]}]}',
    ]);
  });

  it('a missing input and unequal rows are told', async () => {
    expect(await texts(await loaded('sum-and-product.onnx'), '{"a":[[1,2]]}', '{"a":[[1,2]],"b":[[1,2],[3,4]]}')).toEqual([
      '400 Input "b" is missing: expected float32 of shape [N, 2].',
      '400 The inputs differ in their number of rows: "a" has 1, "b" has 2.',
    ]);
  });
});

describe('element types', () => {
  it.each([
    ['float32', 'FP32', '[[0.5,-1]]'],
    ['float64', 'FP64', '[[0.1,-1e+300]]'],
    ['float16', 'FP16', '[[0.5,-1]]'],
    ['int8', 'INT8', '[[-128,127]]'],
    ['int16', 'INT16', '[[-32768,32767]]'],
    ['int32', 'INT32', '[[-2147483648,2147483647]]'],
    ['int64', 'INT64', '[["-9223372036854775808",5]]'],
    ['uint8', 'UINT8', '[[0,255]]'],
    ['uint16', 'UINT16', '[[0,65535]]'],
    ['uint32', 'UINT32', '[[0,4294967295]]'],
    ['uint64', 'UINT64', '[["18446744073709551615",5]]'],
    ['bool', 'BOOL', '[[true,false]]'],
    ['string', 'BYTES', '[["ä","b"]]'],
  ])('%s goes in and comes out', async (type, datatype, value) => {
    const driven = await loaded(`identity-${type}.onnx`);
    const v2 = JSON.stringify({ inputs: [{ name: 'x', shape: [1, 2], datatype, data: JSON.parse(value).flat() }] });

    const [plain, again, shaped] = await texts(driven, value, value, v2);

    expect([plain, again]).toEqual([value, value]);
    expect(JSON.parse(shaped ?? '').outputs).toEqual([{ name: 'y', datatype, shape: [1, 2], data: JSON.parse(value).flat() }]);
  });

  it('a KServe v2 input of another datatype is refused', async () => {
    const driven = await loaded('identity-int8.onnx');

    expect(await texts(driven, '{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}')).toEqual([
      '400 Input "x": expected datatype INT8, got FP32.',
    ]);
  });
});

describe('answers in bytes', () => {
  it('a client that accepts bytes gets the first output as such, with its shape', async () => {
    const driven = await loaded('double.onnx');

    const { bytes: body, headers } = await driven.ask({ body: bytes(1, 2, 3, 4, 5, 6), headers: [['Accept', 'application/octet-stream']] });

    expect(Buffer.from(body)).toEqual(Buffer.from(bytes(2, 4, 6, 8, 10, 12)));
    expect(headers).toEqual({ 'content-type': 'application/octet-stream', 'x-sconce-shape': '2,3', 'x-sconce-datatype': 'FP32' });
  });

  it('an answer longer than allowed fails its batch, and the runner ends', async () => {
    const driven = await loaded('double.onnx', undefined, { maxResponseBytes: 10 });

    const ended = await driven.batch(['[1,2,3]', '[[1,2,3],[1,2,3]]']);
    const exit = await driven.exited;

    expect(ended.map(({ error }) => ResponseTooLarge.is(error))).toEqual([true, true]);
    expect(exit.expected).toBe(false);
  });
});

describe('an image classifier that is an .onnx file and a YAML', () => {
  const pipeline = { preprocess: { image: {} }, postprocess: ['softmax', { topk: { k: 2 } }, { round: 3 }] };
  const solid = (r: number, g: number, b: number): Promise<Buffer> =>
    sharp({ create: { width: 20, height: 10, channels: 3, background: { r, g, b } } })
      .png()
      .toBuffer();

  it('names what it sees, however the picture is sent', async () => {
    const driven = await loaded('colour.onnx', pipeline, {}, folder);
    const [red, blue] = await Promise.all([solid(255, 51, 0), solid(0, 51, 255)]);
    const b64 = blue.toString('base64');

    const answers = await texts(
      driven,
      red,
      [named('data', 'image/png', blue)],
      JSON.stringify({ data: b64 }),
      JSON.stringify({ instances: [{ b64: red.toString('base64') }, { b64 }] }),
      JSON.stringify([b64, b64]),
      JSON.stringify(`data:image/png;base64,${b64}`),
      JSON.stringify({ inputs: [{ name: 'picture', shape: [1], datatype: 'BYTES', data: [b64] }] }),
    );

    const [seenRed, seenBlue] = ['{"red":0.55,"green":0.247}', '{"blue":0.55,"green":0.247}'];
    expect(answers).toEqual([
      seenRed,
      seenBlue,
      seenBlue,
      `{"predictions":[${seenRed},${seenBlue}]}`,
      `[${seenBlue},${seenBlue}]`,
      seenBlue,
      `{"model_name":"m","model_version":"1.0","outputs":[{"name":"predictions","datatype":"BYTES","shape":[1],"data":[${JSON.stringify(seenBlue)}]}]}`,
    ]);
  });

  it('a broken picture fails alone', async () => {
    const driven = await loaded('colour.onnx', pipeline, {}, folder);

    const ended = await driven.batch([Buffer.from('no picture'), await solid(255, 51, 0), '{"data":"####"}']);

    expect(ended.map(({ status }) => status)).toEqual([400, 200, 400]);
    expect(ended[0]?.text).toBe('The image cannot be read: it is none of JPEG, PNG, WebP, GIF, TIFF and AVIF.');
  });

  it('a picture larger than the limit is refused', async () => {
    const driven = await loaded('colour.onnx', pipeline, {}, folder);
    const large = await sharp({ create: { width: 2000, height: 501, channels: 3, background: 'red' } })
      .png()
      .toBuffer();

    expect((await driven.ask(large)).text).toContain('exceeds pixel limit');
  });

  it('its signature says pictures in, labels out; describe tells it too', async () => {
    const model = aServableModel({ directory: folder, serializedFile: 'colour.onnx', raw: { pipeline } });
    const driven = await DrivenRunner.loaded(backend, model);
    running.push(driven);
    const signature = { inputs: [{ name: 'picture', datatype: 'BYTES', shape: [-1] }], outputs: [{ name: 'predictions', datatype: 'BYTES', shape: [-1] }] };

    const described = await driven.ask({ body: '', purpose: 'describe' });

    expect(backend.signatureOf(model)).toEqual(signature);
    expect(JSON.parse(described.text)).toEqual(signature);
  });
});

describe('loading', () => {
  it('a model without a pipeline shows its tensors', async () => {
    const model = aServableModel({ serializedFile: 'embedding.onnx' });
    running.push(await DrivenRunner.loaded(backend, model));

    expect(backend.signatureOf(model)).toEqual({
      inputs: [{ name: 'ids', datatype: 'INT64', shape: [-1, -1] }],
      outputs: [{ name: 'vectors', datatype: 'FP32', shape: [-1, -1, 3] }],
    });
  });

  it('the only .onnx file of a directory needs no name', async () => {
    const driven = await DrivenRunner.loaded(backend, aServableModel({ directory: folder }));
    running.push(driven);

    expect((await driven.ask('[]')).status).toBe(400);
  });

  it('a replica meant for a GPU that is not there runs on the CPU, and says so', async () => {
    const driven = await loaded('double.onnx', undefined, { device: { kind: 'gpu', id: 0 } });

    expect(await texts(driven, '[1,2,3]')).toEqual(['[2,4,6]']);
    expect(driven.lines.join('\n')).toContain('The model runs on the CPU');
  });

  it.each([
    ['no model file', { serializedFile: 'absent.onnx' }, 'The model file absent.onnx is not in'],
    ['a model file outside its directory', { serializedFile: '../make-fixtures.py' }, 'is not in'],
    ['several model files and no name', {}, 'needs one .onnx file, it has'],
    ['a file that is no model', { directory: folder, serializedFile: 'index_to_name.json' }, 'index_to_name.json failed:Protobuf parsing failed'],
    ['a broken pipeline', { serializedFile: 'double.onnx', raw: { pipeline: { postprocess: ['magic'] } } }, 'pipeline.postprocess.0: takes one of'],
    ['an output that is not there', { serializedFile: 'double.onnx', raw: { pipeline: { output: 'z' } } }, 'the model has no tensor output "z"'],
    ['a picture for an input that is none', { serializedFile: 'double.onnx', raw: { pipeline: { preprocess: { image: {} } } } }, 'a picture needs four axes'],
    [
      'labels that are not there',
      { serializedFile: 'double.onnx', raw: { pipeline: { postprocess: [{ topk: { labels: 'l.json' } }] } } },
      'labels file l.json is not in',
    ],
  ])('%s is told', async (_, wanted, message) => {
    const driven = new DrivenRunner(backend, aServableModel(wanted));

    await expect(driven.runner.load()).rejects.toThrow(message);
    await driven.exited;
  });

  it('a thread that needs longer than allowed is ended', async () => {
    const driven = new DrivenRunner(backend, aServableModel({ serializedFile: 'double.onnx' }), { startupTimeoutMs: 1 });

    await expect(driven.runner.load()).rejects.toThrow('did not load its model within 0.001 s');
    expect((await driven.exited).expected).toBe(false);
  });
});

describe('ending', () => {
  it('a thread killed inside the engine lets the process live', async () => {
    const driven = await loaded('slow.onnx');

    void driven.batch(['[1,2]']).then(() => driven.runner.kill());
    void driven.batch(['[1,2]']);
    const exit = await driven.exited;
    await backend.stop();

    expect(exit.expected).toBe(true);
    expect(driven.told).toEqual(['part 0', 'done', 'exit']);
  });

  it('with retries off a large body is handed over, with retries on the gateway keeps it', async () => {
    const values = new Float32Array(30_000);
    for (const retryOnWorkerDeath of [true, false]) {
      const driven = await DrivenRunner.loaded(backend, aServableModel({ serializedFile: 'double.onnx', retryOnWorkerDeath }));
      running.push(driven);
      const body = new Uint8Array(values.slice().buffer);

      const { status } = await driven.ask([{ name: 'x', contentType: 'application/octet-stream', value: body }]);

      expect(status).toBe(200);
      expect(body.byteLength).toBe(retryOnWorkerDeath ? 120_000 : 0);
    }
  });
});
