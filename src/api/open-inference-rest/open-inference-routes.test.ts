import { describe, expect, it } from 'vitest';
import { aHttpRequest, KeptReply, type RequestFacts } from '../../../test/fixtures/http-exchange.js';
import { KeptLog, silentObserver } from '../../../test/fixtures/silent-observer.js';
import type { ModelMetadata } from '../../admission/inference-gate.js';
import { ModelNotFound, ModelVersionNotFound } from '../../errors/model.js';
import { mixedBody } from '../../inference/binary-tensors.js';
import type { Answer } from '../../inference/part.js';
import { ANYONE, type Principal } from '../../inference/principal.js';
import type { HeaderPair, InferenceRequest } from '../../inference/request.js';
import { createRouter } from '../router.js';
import { inferenceRoutes } from '../torchserve-rest/inference-routes.js';

const SIGNATURE = { inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }], outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }] };

/** A gate with a tensor model `t` and a handler's model `h` in the versions 1.0 and 2.0; it answers with what `answers` says. */
class OpenGate {
  readonly requests: InferenceRequest[] = [];
  isReady = true;
  loaded = true;
  signature: ModelMetadata['signature'] = SIGNATURE;
  answer = '{}';

  submit(request: InferenceRequest, answer: Answer): void {
    this.requests.push(request);
    answer.part({ status: 200, reason: '', headers: [['Content-Type', 'text/plain']], body: Buffer.from(this.answer), last: true });
  }

  assertServed(_principal: Principal, model: string, version: string | undefined): void {
    if (model !== 't' && model !== 'h') throw ModelNotFound({ model });
    if (version !== undefined && version !== '1.0' && version !== '2.0') throw ModelVersionNotFound({ model, version });
  }

  metadata(principal: Principal, model: string, version: string | undefined): ModelMetadata {
    this.assertServed(principal, model, version);
    const takesTensors = model === 't';
    return { name: model, versions: ['1.0', '2.0'], takesTensors, loaded: this.loaded, signature: takesTensors ? this.signature : undefined };
  }

  modelNames(): readonly string[] {
    return ['h', 't'];
  }

  healthy(): boolean {
    return true;
  }

  ready(): boolean {
    return this.isReady;
  }

  startupModels(): readonly string[] {
    return [];
  }
}

function anApi() {
  const gate = new OpenGate();
  const log = new KeptLog();
  const describeModelApi = (model: string) => ({ info: { title: model } });
  const routes = inferenceRoutes({ gate, observer: silentObserver(), log, describeModelApi, openInferenceVersion: '0.12.0', isDraining: () => false });
  const handler = createRouter(routes, { serves: ['inference'], authorize: () => ANYONE, log });
  const ask = async (target: string, facts: RequestFacts = {}) => {
    const reply = new KeptReply();
    handler(aHttpRequest({ target, ...facts }), reply);
    return reply.ended;
  };
  const told = async (target: string, facts: RequestFacts = {}) => {
    const { status, body } = await ask(target, facts);
    return [status, JSON.parse(body)];
  };
  /** What the backend got for one request. */
  const submitted = async (target: string, facts: RequestFacts) => {
    const reply = await ask(target, { method: 'POST', ...facts });
    expect(reply.body).toBe(gate.answer);
    const request = gate.requests.at(-1);
    const [input] = request?.inputs ?? [];
    return { ...input, text: Buffer.from(input?.value ?? '').toString(), headers: Object.fromEntries(request?.headers ?? []), version: request?.version };
  };
  return { gate, ask, told, submitted };
}

/** The facts of a request with the tensors' bytes behind its JSON. */
function binary(json: object, ...parts: Uint8Array[]): RequestFacts {
  const { body, header } = mixedBody(JSON.stringify(json), parts);
  const headers: HeaderPair[] = [header, ['Content-Type', 'application/octet-stream'], ['X-Mine', 'kept']];
  return { method: 'POST', body, headers };
}

const packed = (name: string, datatype: string, shape: readonly number[], size: number, parameters: object = {}) => ({
  name,
  datatype,
  shape,
  parameters: { binary_data_size: size, ...parameters },
});

describe('the server', () => {
  it('tells its metadata with the key that TorchServe misspells and the one that the protocol has', async () => {
    const { told } = anApi();

    expect(await told('/v2')).toEqual([200, { name: 'Torchserve', version: '0.12.0', extenstion: ['kserve', 'kubeflow'], extensions: ['binary_tensor_data'] }]);
  });

  it('is live always, and ready once its models are loaded', async () => {
    const { gate, told } = anApi();

    expect(await told('/v2/health/live')).toEqual([200, { live: true }]);
    expect(await told('/v2/health/ready')).toEqual([200, { ready: true }]);
    gate.isReady = false;
    expect(await told('/v2/health/ready')).toEqual([503, { ready: false }]);
  });
});

describe('a model', () => {
  it.each(['/v2/models/t', '/v2/models/t/versions/2.0'])('%s tells its tensors and versions', async (target) => {
    const { told } = anApi();

    expect(await told(target)).toEqual([200, { name: 't', versions: ['1.0', '2.0'], platform: 'onnxruntime_onnx', ...SIGNATURE }]);
  });

  it('that a handler serves has no tensors to tell', async () => {
    const { told } = anApi();

    expect(await told('/v2/models/h')).toEqual([200, { name: 'h', versions: ['1.0', '2.0'], platform: '', inputs: [], outputs: [] }]);
  });

  it('says that its tensors are unknown before it has loaded', async () => {
    const { gate, told } = anApi();
    gate.signature = undefined;

    const message = 'The tensors of model t are not known before one of its workers has loaded.';
    expect(await told('/v2/models/t')).toEqual([503, { code: 503, type: 'ServiceUnavailableException', message, error: message }]);
  });

  it.each(['/v2/models/t/ready', '/v2/models/t/versions/1.0/ready', '/v1/models/t'])('%s is ready when a worker is up', async (target) => {
    const { gate, told } = anApi();

    expect(await told(target)).toEqual([200, { name: 't', ready: true }]);
    gate.loaded = false;
    expect(await told(target)).toEqual([503, { name: 't', ready: false }]);
  });

  it('of KServe v1 is listed', async () => {
    const { told } = anApi();

    expect(await told('/v1/models')).toEqual([200, { models: ['h', 't'] }]);
  });

  it.each(['/v2/models/nope', '/v2/models/nope/ready', '/v2/models/nope/infer', '/v1/models/nope'])(
    'that is unknown is a 404 with `error` too: %s',
    async (target) => {
      const { told } = anApi();

      const message = 'Model not found: nope';
      expect(await told(target)).toEqual([404, { code: 404, type: 'ModelNotFoundException', message, error: message }]);
    },
  );

  it.each(['/v2/models/t/versions/9', '/v2/models/t/versions/9/ready', '/v2/models/t/versions/9/infer'])(
    'in an unknown version is a 404: %s',
    async (target) => {
      const { told } = anApi();

      expect(await told(target)).toMatchObject([404, { error: 'Model version: 9 does not exist for model: t' }]);
    },
  );

  it('is asked about with GET only', async () => {
    const { ask } = anApi();

    for (const target of ['/v2/models/t', '/v2/models/t/ready', '/v1/models', '/v1/models/t']) expect((await ask(target, { method: 'POST' })).status).toBe(405);
    for (const target of ['/v2/models/t/versions', '/v2/models/t/versions/1.0/other', '/v2/models']) expect((await ask(target)).status).toBe(404);
  });
});

describe('a model that takes tensors', () => {
  it('gets the body and its headers as they came, in the version that was asked for', async () => {
    const { submitted } = anApi();
    const facts = binary({ inputs: [packed('x', 'FP32', [1], 4)] }, new Uint8Array(4));

    const seen = await submitted('/v2/models/t/versions/2.0/infer', facts);

    expect([seen.version, seen.value, seen.headers['inference-header-content-length'], seen.headers.explain]).toEqual([
      '2.0',
      facts.body,
      facts.headers?.[0]?.[1],
      'False',
    ]);
  });
});

describe('a handler', () => {
  it('gets a JSON request as it came', async () => {
    const { submitted } = anApi();

    const body = '{"inputs": [ {"name":"x","shape":[1],"datatype":"FP32","data":[1.50]} ] }';
    expect(await submitted('/v2/models/h/infer', { body })).toMatchObject({ contentType: '', text: body, version: undefined });
    expect((await submitted('/v2/models/h/versions/1.0/explain', { body })).headers.explain).toBe('True');
  });

  it('gets binary tensors as JSON, as if they had come so', async () => {
    const { submitted } = anApi();
    const facts = binary(
      {
        id: 'q',
        inputs: [packed('x', 'INT64', [1, 1], 8, { mine: 1 }), { name: 'y', shape: [1], datatype: 'FP64', data: [0.5] }, packed('t', 'BYTES', [1], 5)],
      },
      Buffer.from(BigInt64Array.of(9007199254740993n).buffer),
      Uint8Array.of(1, 0, 0, 0, 0x61),
    );

    const seen = await submitted('/v2/models/h/infer', facts);

    expect(seen.text).toBe(
      '{"id":"q","inputs":[{"name":"x","datatype":"INT64","shape":[1,1],"parameters":{"mine":1},"data":[9007199254740993]},' +
        '{"name":"y","shape":[1],"datatype":"FP64","data":[0.5]},{"name":"t","datatype":"BYTES","shape":[1],"data":["a"]}]}',
    );
    expect(seen.contentType).toBe('application/json');
    expect(seen.headers).toEqual({ 'X-Mine': 'kept', 'content-type': 'application/json', 'content-length': String(seen.text.length), explain: 'False' });
  });

  it.each([
    ['cut off', binary({ inputs: [packed('x', 'FP32', [2], 8)] }, new Uint8Array(6)), 'Input "x": 8 bytes were announced, 6 are there.'],
    ['too many bytes', binary({ inputs: [packed('x', 'FP32', [1], 4)] }, new Uint8Array(6)), '2 bytes after the last input belong to none.'],
    ['another shape', binary({ inputs: [packed('x', 'FP32', [3], 8)] }, new Uint8Array(8)), 'Input "x": FP32 of shape [3] has 12 bytes, 8 came.'],
    [
      'no shape',
      binary({ inputs: [{ ...packed('x', 'FP32', [], 4), shape: 'wide' }] }, new Uint8Array(4)),
      'Input "x": "shape" has to be an array of whole numbers.',
    ],
    ['an unknown datatype', binary({ inputs: [packed('x', 'FP8', [4], 4)] }, new Uint8Array(4)), 'Input "x": the datatype "FP8" is not known.'],
    [
      'broken BYTES',
      binary({ inputs: [packed('x', 'BYTES', [1], 4)] }, new Uint8Array([9, 0, 0, 0])),
      'Input "x": the lengths of its BYTES elements do not add up.',
    ],
    ['a size that is none', binary({ inputs: [packed('x', 'FP32', [1], -4)] }), 'Input "x": "binary_data_size" has to be a whole number of bytes.'],
    [
      'values twice',
      binary({ inputs: [{ ...packed('x', 'FP32', [1], 4), data: [1] }] }, new Uint8Array(4)),
      'Input "x": its values are in "data" and among the bytes.',
    ],
    ['no name', binary({ inputs: [{ shape: [1] }] }), 'Each entry of "inputs" needs a "name".'],
    ['no inputs', binary({ instances: [] }), 'The JSON before the binary tensors needs "inputs", an array.'],
    ['a broken header', { body: '{}', headers: [['inference-header-content-length', '3']] as const }, 'inference-header-content-length does not say where'],
  ])('is not asked when tensors are wrong: %s', async (_what, facts, message) => {
    const { gate, ask } = anApi();

    const reply = await ask('/v2/models/h/infer', { method: 'POST', ...facts });

    expect([reply.status, reply.header('x-sconce-reason')]).toEqual([400, 'bad_input']);
    expect(JSON.parse(reply.body).error).toContain(message);
    expect(gate.requests).toEqual([]);
  });

  it('gets a compressed body as it came, unless there are binary tensors in it', async () => {
    const { ask, submitted } = anApi();
    const headers: HeaderPair[] = [['content-encoding', 'gzip']];

    expect((await submitted('/v2/models/h/infer', { body: 'zipped', headers })).text).toBe('zipped');
    const refused = [
      await ask('/v2/models/t/infer', { method: 'POST', body: 'zipped', headers }),
      await ask('/v2/models/h/infer', { method: 'POST', body: 'zipped', headers: [...headers, ['inference-header-content-length', '3']] }),
    ];
    for (const { status, body } of refused) expect([status, JSON.parse(body).error]).toEqual([400, expect.stringContaining('content-encoding gzip')]);
  });

  it('answers as it likes to a request that asks for nothing special', async () => {
    const { gate, submitted } = anApi();
    gate.answer = '{"outputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[1.0]}]}';

    await submitted('/v2/models/h/infer', { body: '{"inputs":[]}' });
  });

  it('has its outputs sent as bytes to who asks for that', async () => {
    const { gate, ask } = anApi();
    gate.answer = '{"id":"q","outputs":[{"name":"y","datatype":"FP32","data":[1.0],"shape":[1]}]}';

    const reply = await ask('/v2/models/h/infer', { method: 'POST', body: '{"inputs":[],"parameters":{"binary_data_output":true}}' });

    const json = '{"id":"q","outputs":[{"name":"y","datatype":"FP32","shape":[1],"parameters":{"binary_data_size":4}}]}';
    expect([reply.header('content-type'), reply.header('inference-header-content-length')]).toEqual(['application/octet-stream', String(json.length)]);
    expect(reply.body).toBe(`${json}\0\0\x80?`);
  });

  it('has the outputs left out that were not asked for', async () => {
    const { gate, ask } = anApi();
    gate.answer = '{"outputs":[{"name":"y","data":[NaN]},{"name":"z","data":[2]}]}';

    const reply = await ask('/v2/models/h/infer', { method: 'POST', body: '{"inputs":[],"outputs":[{"name":"y"}]}' });

    expect([reply.header('content-type'), reply.body]).toEqual(['application/json', '{"outputs":[{"name":"y","data":[NaN]}]}']);
  });
});
