import { describe, expect, it } from 'vitest';
import { aHttpRequest, KeptReply, type RequestFacts } from '../../../test/fixtures/http-exchange.js';
import { KeptLog, silentObserver } from '../../../test/fixtures/silent-observer.js';
import { ModelNotFound, ModelVersionNotFound } from '../../errors/model.js';
import type { Answer } from '../../inference/part.js';
import { ANYONE, type Principal } from '../../inference/principal.js';
import type { InferenceRequest } from '../../inference/request.js';
import { createRouter } from '../router.js';
import { inferenceRoutes } from './inference-routes.js';

/** A gate that serves models `m` and `n` in version 1.0, and answers each request with `done`. */
class OpenGate {
  readonly requests: InferenceRequest[] = [];
  isHealthy = true;
  isReady = true;
  atStart: readonly string[] = [];

  submit(request: InferenceRequest, answer: Answer): void {
    this.requests.push(request);
    answer.part({ status: 200, reason: '', headers: [], body: Buffer.from('done'), last: true });
  }

  assertServed(_principal: Principal, model: string, version: string | undefined): void {
    if (model !== 'm' && model !== 'n') throw ModelNotFound({ model });
    if (version !== undefined && version !== '1.0') throw ModelVersionNotFound({ model, version });
  }

  metadata(principal: Principal, model: string, version: string | undefined) {
    this.assertServed(principal, model, version);
    return { name: model, versions: ['1.0'], takesTensors: false, loaded: true, signature: undefined };
  }

  modelNames(): readonly string[] {
    return ['m', 'n'];
  }

  healthy(): boolean {
    return this.isHealthy;
  }

  ready(): boolean {
    return this.isReady;
  }

  startupModels(): readonly string[] {
    return this.atStart;
  }
}

function anApi({ openInferenceVersion, isDraining = false }: { openInferenceVersion?: string; isDraining?: boolean } = {}) {
  const gate = new OpenGate();
  const requested: string[] = [];
  const observer = silentObserver({ inferenceRequested: (model, version) => requested.push(`${model} ${version}`) });
  const log = new KeptLog();
  const routes = inferenceRoutes({
    gate,
    observer,
    log,
    describeModelApi: (model) => ({ openapi: '3.0.1', info: { title: `RESTful API for: ${model}` } }),
    openInferenceVersion,
    isDraining: () => isDraining,
  });
  const handler = createRouter(routes, { serves: ['inference'], authorize: () => ANYONE, log });
  const ask = async (target: string, facts: RequestFacts = {}) => {
    const reply = new KeptReply();
    handler(aHttpRequest({ target, ...facts }), reply);
    await reply.ended;
    return reply;
  };
  /** What the gate got for one request. */
  const submitted = async (target: string, facts: RequestFacts = {}) => {
    const reply = await ask(target, facts);
    expect(reply.body).toBe('done');
    const request = gate.requests.at(-1);
    if (request === undefined) throw new Error('nothing was submitted');
    return {
      ...request,
      id: request.id,
      headers: Object.fromEntries(request.headers),
      inputs: request.inputs.map(({ name, value }) => [name, Buffer.from(value).toString()]),
    };
  };
  return { gate, requested, ask, submitted, log };
}

const form = (body: string): RequestFacts => ({ method: 'POST', headers: [['content-type', 'application/x-www-form-urlencoded']], body });

describe('predictions', () => {
  it('go to the default version or the named one', async () => {
    const { submitted, requested } = anApi();

    expect(await submitted('/predictions/m')).toMatchObject({ model: 'm', version: undefined, purpose: 'predict' });
    expect(await submitted('/predictions/m/1.0')).toMatchObject({ model: 'm', version: '1.0' });
    expect(requested).toEqual(['m undefined', 'm 1.0']);
  });

  it('bring the further path as url_path, and an empty one otherwise', async () => {
    const { submitted } = anApi();

    expect((await submitted('/predictions/m/1.0/a/b')).headers).toMatchObject({ url_path: 'a/b', explain: 'False' });
    expect((await submitted('/predictions/m/1.0')).headers).toMatchObject({ url_path: '' });
    expect((await submitted('/predictions/m')).headers).toMatchObject({ url_path: '' });
  });

  it('take any method', async () => {
    const { submitted } = anApi();
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'PATCH']) expect(await submitted('/predictions/m', { method })).toMatchObject({ model: 'm' });
  });

  it('keep the spelling of the client’s headers, and let no client forge the path’s own', async () => {
    const { submitted } = anApi();

    const { headers } = await submitted('/predictions/m', {
      headers: [
        ['X-CamelCase', '1'],
        ['explain', 'True'],
        ['url_path', 'forged'],
      ],
    });

    expect(headers).toEqual({ 'X-CamelCase': '1', 'content-length': '0', url_path: '', explain: 'False' });
  });

  it('do not take inputs from the query', async () => {
    const { submitted } = anApi();

    expect((await submitted('/predictions/m?a=1', { body: 'x' })).inputs).toEqual([['body', 'x']]);
  });

  it('carry the id of the answer and the arrival time', async () => {
    const { ask, gate } = anApi();
    const before = performance.now();

    await ask('/predictions/m');

    expect(gate.requests[0]?.id).toMatch(/^request-\d+$/);
    expect(gate.requests[0]?.receivedAtMs).toBeGreaterThanOrEqual(before);
  });

  it('are cancelled with the connection', async () => {
    const { ask, gate } = anApi();
    const closed = new AbortController();
    await ask('/predictions/m', { closed: closed.signal });

    closed.abort();

    expect(gate.requests[0]?.cancelled.aborted).toBe(true);
  });

  it('of an unknown model or version are 404', async () => {
    const { ask, gate, requested } = anApi();

    const model = await ask('/predictions/none');
    const version = await ask('/predictions/m/9');

    expect(JSON.parse(model.body)).toEqual({ code: 404, type: 'ModelNotFoundException', message: 'Model not found: none' });
    expect(JSON.parse(version.body)).toEqual({ code: 404, type: 'ModelVersionNotFoundException', message: 'Model version: 9 does not exist for model: m' });
    expect([gate.requests, requested]).toEqual([[], []]);
  });

  it('without a model are 404', async () => {
    const { ask } = anApi();

    expect(JSON.parse((await ask('/predictions')).body).type).toBe('ResourceNotFoundException');
  });

  it('refuse a form that cannot be read before they look for the model', async () => {
    const { ask } = anApi();

    const reply = await ask('/predictions/none', { headers: [['content-type', 'multipart/form-data; boundary=x']], body: 'no form' });

    expect(JSON.parse(reply.body)).toMatchObject({ code: 500, type: 'ErrorDataDecoderException' });
  });
});

describe('OPTIONS', () => {
  it('shows the model’s document on every path of a model, and predicts nothing', async () => {
    const { ask, gate } = anApi();
    for (const target of ['/predictions/m', '/explanations/m/1.0', '/v1/models/m:predict', '/v2/models/m/infer', '/m/predict', '/models/m/invoke']) {
      expect(JSON.parse((await ask(target, { method: 'OPTIONS' })).body).info.title).toBe('RESTful API for: m');
    }
    expect(gate.requests).toEqual([]);
  });

  it('needs the model to exist', async () => {
    const { ask } = anApi();

    expect((await ask('/predictions/none', { method: 'OPTIONS' })).status).toBe(404);
  });
});

describe('explanations', () => {
  it('are predictions that ask for an explanation', async () => {
    const { submitted } = anApi();

    expect(await submitted('/explanations/m')).toMatchObject({ purpose: 'explain', headers: { explain: 'True', url_path: '' } });
    expect(await submitted('/explanations/m/1.0/a')).toMatchObject({ version: '1.0', headers: { explain: 'True', url_path: 'a' } });
  });
});

describe('KServe’s paths', () => {
  it('of v1 and v2 predict and explain with the default version', async () => {
    const { submitted } = anApi();

    expect(await submitted('/v1/models/m:predict')).toMatchObject({ model: 'm', version: undefined, purpose: 'predict', headers: { explain: 'False' } });
    expect(await submitted('/v1/models/m:explain')).toMatchObject({ model: 'm', purpose: 'explain', headers: { explain: 'True' } });
    expect(await submitted('/v2/models/m/infer')).toMatchObject({ model: 'm', purpose: 'predict', headers: { explain: 'False' } });
    expect(await submitted('/v2/models/m/explain')).toMatchObject({ model: 'm', purpose: 'explain', headers: { explain: 'True' } });
    expect((await submitted('/v1/models/m:predict')).headers).not.toHaveProperty('url_path');
  });

  it('without a verb are 404', async () => {
    const { ask } = anApi();
    for (const target of ['/v1/models/m', '/v1/models', '/v2/models/m', '/v2/models/m/ready']) expect((await ask(target)).status).toBe(404);
  });
});

describe('SageMaker’s paths', () => {
  it('/invocations takes the model from the query, then the only start-up model, then a form field', async () => {
    const { submitted, gate } = anApi();

    expect(await submitted('/invocations?model_name=m', form('model_name=n'))).toMatchObject({ model: 'm' });
    expect(await submitted('/invocations', form('model_name=n&a=1'))).toMatchObject({ model: 'n' });
    gate.atStart = ['m'];
    expect(await submitted('/invocations', form('model_name=n&a=1'))).toMatchObject({ model: 'm' });
    gate.atStart = ['m', 'n'];
    expect(await submitted('/invocations', form('model_name=n&a=1'))).toMatchObject({ model: 'n' });
  });

  it('/invocations without a model anywhere is 400', async () => {
    const { ask } = anApi();
    for (const target of ['/invocations', '/invocations?model_name=']) {
      expect(JSON.parse((await ask(target, { method: 'POST', body: '{}' })).body)).toEqual({
        code: 400,
        type: 'BadRequestException',
        message: 'Parameter model_name is required.',
      });
    }
  });

  it('pass the query’s pairs on as inputs and add no headers', async () => {
    const { submitted } = anApi();

    expect(await submitted('/invocations?model_name=m&a=1', { body: 'x', headers: [['explain', 'True']] })).toMatchObject({
      inputs: [
        ['model_name', 'm'],
        ['a', '1'],
        ['body', 'x'],
      ],
      headers: { explain: 'True' },
    });
    expect((await submitted('/models/m/invoke?a=1')).inputs).toEqual([
      ['a', '1'],
      ['body', ''],
    ]);
  });

  it('with other segments are 404', async () => {
    const { ask } = anApi();
    for (const target of ['/invocations/m', '/models/m', '/models/m/other', '/models/m/predict', '/models/m/invoke/x']) {
      expect(JSON.parse((await ask(target)).body).type, target).toBe('ResourceNotFoundException');
    }
  });
});

describe('the legacy paths', () => {
  it('predict with or without a version and pass the query’s pairs on', async () => {
    const { submitted } = anApi();

    expect(await submitted('/m/predict?a=1', { body: 'x' })).toMatchObject({
      model: 'm',
      version: undefined,
      inputs: [
        ['a', '1'],
        ['body', 'x'],
      ],
      headers: {},
    });
    expect(await submitted('/m/1.0/predict')).toMatchObject({ model: 'm', version: '1.0' });
  });
});

describe('a client’s own deadline', () => {
  it('counts from the arrival', async () => {
    const { ask, gate } = anApi();

    await ask('/predictions/m', { headers: [['X-Sconce-Timeout-Ms', '250']] });
    await ask('/predictions/m');

    expect((gate.requests[0]?.deadlineAtMs ?? 0) - (gate.requests[0]?.receivedAtMs ?? 0)).toBeCloseTo(250);
    expect(gate.requests[1]?.deadlineAtMs).toBeUndefined();
  });

  it('that is no positive number is 400', async () => {
    const { ask } = anApi();
    for (const value of ['0', '-1', '1.5', 'soon', '', '99999999999']) {
      expect((await ask('/predictions/m', { headers: [['x-sconce-timeout-ms', value]] })).status, value).toBe(400);
    }
  });
});

describe('health', () => {
  it('/ping follows TorchServe’s rule, whatever the method and what stands behind it', async () => {
    const { ask, gate } = anApi();

    const healthy = await ask('/ping', { method: 'POST' });
    gate.isHealthy = false;
    const unhealthy = await ask('/ping/x');

    expect([healthy.status, healthy.body]).toEqual([200, '{\n  "status": "Healthy"\n}\n']);
    expect([unhealthy.status, unhealthy.body]).toEqual([500, '{\n  "status": "Unhealthy"\n}\n']);
  });

  it('/ready tells loading, ready and draining apart', async () => {
    const { ask, gate } = anApi();
    const draining = anApi({ isDraining: true });
    draining.gate.isReady = false;

    expect([(await ask('/ready')).status, JSON.parse((await ask('/ready')).body)]).toEqual([200, { status: 'Ready' }]);
    gate.isReady = false;
    expect([(await ask('/ready')).status, JSON.parse((await ask('/ready')).body)]).toEqual([503, { status: 'Loading' }]);
    expect(JSON.parse((await draining.ask('/ready')).body)).toEqual({ status: 'Draining' });
  });

  it('/live is always 200', async () => {
    const { ask } = anApi();

    expect(JSON.parse((await ask('/live')).body)).toEqual({ status: 'Live' });
  });
});

describe('the Open Inference paths', () => {
  it('are unknown where they are switched off, apart from infer and explain', async () => {
    const { ask } = anApi();

    const targets = [
      '/v2',
      '/v2/health/live',
      '/v2/health/ready',
      '/v2/models/m',
      '/v2/models/m/versions/1.0',
      '/v2/models/m/versions/1.0/infer',
      '/v1/models',
    ];
    for (const target of targets) expect((await ask(target)).status).toBe(404);
    expect((await ask('/v2/models/m/infer')).body).toBe('done');
    expect((await ask('/v2/models/m/explain')).body).toBe('done');
  });

  it('leave paths that only look like theirs alone', async () => {
    const { ask } = anApi({ openInferenceVersion: '0.12.0' });

    expect((await ask('/predictions/m/1.0/a/versions')).body).toBe('done');
    expect((await ask('/v1/models/m:predict')).body).toBe('done');
  });
});
