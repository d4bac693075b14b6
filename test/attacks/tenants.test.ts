import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InferenceAPIsServiceDefinition as Inference } from '../../src/api/grpc-generated/inference.js';
import { ManagementAPIsServiceDefinition as Management } from '../../src/api/grpc-generated/management.js';
import { GRPCInferenceServiceDefinition as OpenInference } from '../../src/api/grpc-generated/open_inference_grpc.js';
import { type CallOptions, call, RunningServer } from '../e2e/running-server.js';
import { archive } from '../fixtures/archives.js';
import { collected, GrpcClient, type Rpc } from '../fixtures/grpc-client.js';
import { MODEL_ROUTES, type ModelRoute } from '../fixtures/model-routes.js';
import { TenantServer } from '../fixtures/tenant-servers.js';
import { aToken, auditOf, bearer, double, entrancesOf, keysOf } from '../fixtures/token-servers.js';
import { workflowArchive } from '../fixtures/workflows.js';

const TENSOR = JSON.stringify({ inputs: [{ name: 'x', shape: [1, 3], datatype: 'FP32', data: [1, 2, 3] }] });
const JSON_TYPE = { 'content-type': 'application/json' };
const TYPED = 'sconce:\n  inputs:\n    guards:\n      - model: beta-judge\n';
const FLOW = (url: string) => `models:\n  min-workers: 1\n  max-workers: 1\n  step:\n    url: ${url}\ndag:\n  step: []\n`;

describe('two tenants on one server', () => {
  let server: TenantServer;
  beforeAll(async () => {
    server = new TenantServer();
    for (const name of ['acme-echo', 'beta-echo', 'beta-secret', 'shared']) await archive(server.store, { name, handler: 'echo.py' });
    copyFileSync(join(server.store, 'beta-secret.mar'), join(server.store, 'innocent.mar'));
    await archive(server.store, {
      name: 'acme-count',
      handler: 'sequence_counter.py',
      config: 'sequenceBatching: true\nmaxNumSequence: 4\nsequenceMaxIdleMSec: 60000\nmaxSequenceJobQueueSize: 20\n',
    });
    await archive(server.store, { name: 'acme-guarded', handler: 'echo.py', config: TYPED });
    await server.serve(
      [
        'acme-double=double.onnx',
        'beta-double=double.onnx',
        'plain=double.onnx',
        'acme-echo=acme-echo.mar',
        'beta-echo=beta-echo.mar',
        'acme-count=acme-count.mar',
        'acme-guarded=acme-guarded.mar',
        await server.scripted('beta-crashing'),
      ],
      { config: { sconce_security: 'standard' } },
    );
  });
  afterAll(() => server.dispose());

  const asAcme = (url: string, options: CallOptions = {}) => call(url, { ...options, headers: { ...bearer(server.acme), ...options.headers } });
  const asBeta = (url: string, options: CallOptions = {}) => call(url, { ...options, headers: { ...bearer(server.beta), ...options.headers } });

  it("TK10 TN5 over REST another tenant's model, and the operator's, is what there is not, byte for byte", async () => {
    const paths: readonly ModelRoute[] = [
      ...MODEL_ROUTES,
      ['inference', 'POST', '/predictions/MODEL/no-version'],
      ['inference', 'POST', '/v1/models/MODEL:explain'],
      ['inference', 'POST', '/v2/models/MODEL/explain'],
      ['inference', 'GET', '/v2/models/MODEL/versions/1.0'],
      ['management', 'GET', '/models/MODEL/no-version'],
      ['management', 'GET', '/models/MODEL/1.0/scan'],
      ['management', 'GET', '/models/MODEL/1.0/sbom'],
      ['management', 'GET', '/sconce/crashes?model=MODEL'],
      ['management', 'PUT', '/models/MODEL?min_worker=3&synchronous=true'],
      ['management', 'DELETE', '/models/MODEL/1.0'],
      ['management', 'POST', '/workflows?url=flow.war&workflow_name=MODEL'],
    ];
    for (const [door, method, path] of paths) {
      const asked = async (model: string) => {
        const isWish = method === 'POST' && !/^\/(models|workflows)\?/.test(path);
        const { status, headers, text } = await asAcme(`${server[door]}${path.replace('MODEL', model)}`, {
          method,
          ...(isWish ? { body: TENSOR, headers: JSON_TYPE } : {}),
        });
        const { date: _, 'x-request-id': id = '', 'content-length': __, 'server-timing': ___, ...plain } = headers;
        return [status, plain, text.replaceAll(model, 'MODEL').replaceAll(String(id), 'ID')];
      };
      const unknown = await asked('no-model');
      for (const known of ['beta-double', 'plain', 'beta-nothing']) expect(await asked(known), `${method} ${path} ${known}`).toEqual(unknown);
      if (!path.startsWith('/sconce/')) expect(unknown[0], path).toBe(404);
    }
    for (const [model, headers] of [
      ['acme-double', bearer(server.acme)],
      ['beta-double', bearer(server.beta)],
      ['beta-double', bearer(keysOf(server).inference)],
      ['plain', bearer(keysOf(server).inference)],
    ] as const)
      expect((await double(server, model, headers)).status, model).toBe(200);
  });

  it('TK10 TN5 and over gRPC, on every method that names a model', async () => {
    const inference = new GrpcClient(server.grpcInference, Inference.fullName);
    const management = new GrpcClient(server.grpcManagement, Management.fullName);
    const open = new GrpcClient(server.grpcInference, OpenInference.fullName);
    const wish = { token: server.acme };
    const ends = async (model: string): Promise<readonly unknown[]> => {
      const failed = async <Q, R>(client: GrpcClient, rpc: Rpc<Q, R>, request: Q) => {
        const { code, details } = await client.failure(rpc, request, wish);
        return [rpc.name, code, details.replaceAll(model, 'MODEL')];
      };
      const prediction = { modelName: model, modelVersion: '', input: new Map([['body', Buffer.from('{}')]]) };
      const streamed = await collected(inference.serverStream(Inference.methods.streamPredictions, prediction, wish));
      const stream = inference.stream(Inference.methods.streamPredictions2, wish);
      stream.write({ ...prediction, sequenceId: 's' });
      stream.end();
      const both = await collected(stream);
      const shown = ({ messages, end }: typeof streamed | typeof both) => JSON.stringify([messages, end]).replaceAll(model, 'MODEL');
      return [
        await failed(inference, Inference.methods.predictions, prediction),
        shown(streamed),
        shown(both),
        await failed(management, Management.methods.describeModel, { modelName: model, modelVersion: '', customized: false }),
        await failed(management, Management.methods.describeModel, { modelName: model, modelVersion: 'all', customized: true }),
        await failed(management, Management.methods.scaleWorker, {
          modelName: model,
          modelVersion: '',
          maxWorker: 1,
          minWorker: 1,
          numberGpu: 0,
          synchronous: true,
          timeout: 1,
        }),
        await failed(management, Management.methods.setDefault, { modelName: model, modelVersion: '1.0' }),
        await failed(management, Management.methods.unregisterModel, { modelName: model, modelVersion: '' }),
        await failed(management, Management.methods.registerModel, {
          batchSize: 1,
          handler: '',
          initialWorkers: 0,
          maxBatchDelay: 1,
          modelName: model,
          responseTimeout: 1,
          runtime: '',
          synchronous: true,
          url: 'double.onnx',
          s3SseKms: false,
          startupTimeout: 1,
        }),
        await failed(open, OpenInference.methods.modelReady, { name: model, version: '' }),
        await failed(open, OpenInference.methods.modelMetadata, { name: model, version: '' }),
        await failed(open, OpenInference.methods.modelInfer, {
          modelName: model,
          modelVersion: '',
          id: '',
          parameters: new Map(),
          inputs: [],
          outputs: [],
          rawInputContents: [],
        }),
      ];
    };
    const unknown = await ends('no-model');
    for (const known of ['beta-double', 'plain', 'beta-nothing']) expect(await ends(known), known).toEqual(unknown);
    expect(
      (await inference.unary(Inference.methods.predictions, { modelName: 'acme-echo', modelVersion: '', input: new Map([['body', Buffer.from('1')]]) }, wish))
        .prediction.length,
    ).toBeGreaterThan(0);
    const { msg } = await management.unary(Management.methods.listModels, { limit: 100, nextPageToken: 0 }, wish);
    expect(msg).toContain('acme-double');
    expect(msg).not.toMatch(/beta|plain/);
    for (const client of [inference, management, open]) client.close();
  });

  it('TN5 lists, crashes, health and metrics tell a tenant of itself alone, and the operator of all', async () => {
    await asBeta(`${server.inference}/predictions/beta-crashing`, { method: 'POST', headers: JSON_TYPE, body: '{"do":"exit"}' });
    for (const [model, token] of [
      ['acme-double', server.acme],
      ['beta-double', server.beta],
      ['plain', keysOf(server).inference],
    ] as const)
      await call(`${server.inference}/predictions/${model}`, { method: 'POST', body: '{"x": [[1,2,3]]}', headers: { ...JSON_TYPE, ...bearer(token) } });
    const operators = bearer(keysOf(server).management);

    const pages = [
      await asAcme(`${server.management}/models?limit=100`),
      await asAcme(`${server.inference}/v1/models`),
      await asAcme(`${server.management}/workflows`),
      await asAcme(`${server.management}/sconce/crashes`),
      await asAcme(`${server.metrics}/metrics`),
      await asAcme(`${server.metrics}/metrics?name[]=ts_inference_requests_total`),
    ];
    for (const { status, text } of pages) {
      expect(status).toBe(200);
      expect(text).not.toMatch(/beta|plain|tenant="default"/);
    }
    expect(pages[0]?.text).toContain('acme-double');
    expect(pages[4]?.text).toContain('model_name="acme-double"');
    expect(pages[4]?.text).toMatch(/sconce_tenant_models\{tenant="acme",hostname="[^"]*",\} 4\.0/);
    expect(pages[4]?.text).toMatch(/WorkerLoadTime\{WorkerName="W-\d+-acme-/);
    // What the machine does tells of the others.
    expect(pages[4]?.text).not.toMatch(/Requests2XX|CPUUtilization|MemoryUsed|QueueTime|DiskUsage|sconce_token_refusals_total|sconce_event_loop/);

    const all = (await call(`${server.metrics}/metrics`, { headers: operators })).text;
    for (const shown of ['model_name="acme-double"', 'model_name="beta-double"', 'Requests2XX', 'sconce_tenant_models{tenant="beta"'])
      expect(all).toContain(shown);
    expect((await call(`${server.management}/sconce/crashes`, { headers: operators })).text).toContain('beta-crashing');
    expect((await asBeta(`${server.management}/sconce/crashes`)).text).toContain('beta-crashing');
    expect((await call(`${server.metrics}/metrics`)).status).toBe(400);
    // A model of beta's that is down is beta's trouble.
    expect((await asBeta(`${server.management}/models/beta-crashing?min_worker=0&max_worker=0&synchronous=true`, { method: 'PUT' })).status).toBe(200);
    expect((await asAcme(`${server.inference}/ping`)).json()).toEqual({ status: 'Healthy' });
  });

  it("TN5 a tenant's workers print into files of its own", async () => {
    await asBeta(`${server.management}/models?url=beta-echo.mar&model_name=beta-logged&initial_workers=1&synchronous=true`, { method: 'POST' });
    await server.eventually(async () => existsSync(join(server.folder, 'logs', 'tenants', 'beta', 'model_log.log')), "beta's log is there");
    for (const file of ['model_log.log', 'tenants/acme/model_log.log']) expect(server.log(file)).not.toMatch(/-beta-/);
    expect((await asBeta(`${server.management}/models/beta-logged`, { method: 'DELETE' })).status).toBe(200);
  });

  it('TN6 nobody registers under a name that is not its own, in whatever form', async () => {
    const before = (await asBeta(`${server.management}/models/beta-double/all`)).text.replace(/"memoryUsage": \d+/g, '');
    const register = (name: string, more = '') =>
      asAcme(`${server.management}/models?url=double.onnx&model_name=${encodeURIComponent(name)}${more}`, { method: 'POST' });
    const missing = z.object({ message: z.string() });
    for (const name of [
      'beta-double',
      'beta-new',
      'plain',
      'new',
      'Acme-x',
      'acme',
      ' acme-x',
      'ａcme-x',
      'a\u0301cme-x',
      'beta-doublé',
      'beta-double\u0301',
      '../acme-x',
      'beta/m',
      '__proto__',
      `acme-${'x'.repeat(600)}`,
    ]) {
      const { status, json } = await register(name);
      expect([status, missing.parse(json()).message], name).toEqual([404, `Model not found: ${name}`]);
    }
    for (const name of ['acme-b/m', 'acme-\u0000', 'acme-x/../../beta-x']) expect((await register(name)).status, name).toBe(400);
    expect((await asAcme(`${server.management}/models?url=double.onnx`, { method: 'POST' })).json()).toMatchObject({
      code: 403,
      message: 'This token may register acme-* only: model_name has to be given and fit.',
    });
    const body = JSON.stringify({ url: 'double.onnx', model_name: 'acme-json', modelName: 'beta-json' });
    expect((await asAcme(`${server.management}/models`, { method: 'POST', body, headers: JSON_TYPE })).status).toBe(200);
    const named = z.array(z.object({ modelName: z.string() })).parse((await asAcme(`${server.management}/models/acme-json`)).json());
    expect(named[0]?.modelName).toBe('acme-json');
    expect((await asAcme(`${server.management}/models/acme-json`, { method: 'DELETE' })).status).toBe(200);
    expect((await asBeta(`${server.management}/models/beta-double/all`)).text.replace(/"memoryUsage": \d+/g, '')).toBe(before);
    expect(auditOf(server)).toContainEqual(expect.objectContaining({ who: 'token:acme', tenant: 'acme', verb: 'register', result: 'MODEL_NOT_FOUND' }));
  });

  it("TN6 nobody makes a model of an archive that carries another's name, though it knows the file's", async () => {
    const register = async (url: string) => {
      const { status, text } = await asAcme(`${server.management}/models?url=${url}&model_name=acme-stolen`, { method: 'POST' });
      return [status, text.replaceAll(url, 'URL')];
    };
    const missing = await register('nothing.mar');

    for (const url of ['beta-secret.mar', 'innocent.mar', 'x/beta-secret.mar', './innocent.mar']) expect(await register(url), url).toEqual(missing);
    expect((await register('shared.mar'))[0]).toBe(200);
    expect((await asAcme(`${server.management}/models/acme-stolen`, { method: 'DELETE' })).status).toBe(200);
  });

  it('TN6 a token of a tenant that the operator does not name opens nothing, nor does a tenant renew the keys', async () => {
    const strange = await aToken(server, 'strange', '--tenant', 'gamma', '--scope', 'admin');
    const unscoped = await aToken(server, 'unscoped', '--tenant', 'acme', '--scope', 'metrics');
    for (const url of [`${server.inference}/ping`, `${server.inference}/predictions/acme-double`, `${server.management}/models`]) {
      const [refused, known] = [await call(url, { headers: bearer(strange) }), await call(url, { headers: bearer(unscoped) })];
      expect([refused.status, refused.json()], url).toEqual([400, known.json()]);
    }
    expect((await call(`${server.metrics}/metrics`, { headers: bearer(strange) })).status).toBe(400);
    expect((await asAcme(`${server.management}/token?type=management`)).status).toBe(400);
    const entrances = await entrancesOf(server);
    expect(entrances.some(({ who }) => who.includes('token strange'))).toBe(false);
    expect(entrances.find(({ scope }) => scope === 'token-admin')?.who).not.toContain('token acme');
    expect(entrances.find(({ scope }) => scope === 'manage')?.who).toContain('token acme');
    expect(entrances.find(({ route }) => route === '/metrics')?.scope).toBe('metrics');
    expect(auditOf(server)).toContainEqual(
      expect.objectContaining({ verb: 'authorize', who: 'token:strange', tenant: 'gamma', result: 'TOKEN_REFUSED', why: 'tenant' }),
    );
  });

  it('WF2 WF3 TN6 a workflow is made of what its own tenant has, under a name of its own', async () => {
    await workflowArchive(server.store, { name: 'own', spec: FLOW('acme-echo.mar') });
    await workflowArchive(server.store, { name: 'foreign', spec: FLOW('beta-secret.mar') });
    await workflowArchive(server.store, { name: 'disguised', spec: FLOW('innocent.mar') });
    await workflowArchive(server.store, { name: 'missing', spec: FLOW('missing.mar') });
    await workflowArchive(server.store, { name: 'beta-flow', spec: FLOW('acme-echo.mar') });
    const register = async (url: string, name: string) => {
      const { status, text } = await asAcme(`${server.management}/workflows?url=${url}&workflow_name=${name}`, { method: 'POST' });
      return [status, text.replace(/[\w-]+\.(mar|war)/g, 'URL')];
    };

    expect((await register('own.war', 'acme-flow'))[0]).toBe(200);
    const [failed, ...more] = [await register('missing.war', 'acme-x'), await register('foreign.war', 'acme-x'), await register('disguised.war', 'acme-x')];
    for (const one of more) expect(one).toEqual(failed);
    expect(await register('beta-flow.war', 'acme-y')).toEqual(await register('nothing.war', 'acme-y'));
    expect((await register('own.war', 'beta-x'))[0]).toBe(404);
    expect((await asAcme(`${server.management}/workflows?url=own.war`, { method: 'POST' })).status).toBe(403);
    expect((await asAcme(`${server.inference}/wfpredict/acme-flow`, { method: 'POST', body: 'x' })).status).toBe(200);
    const foreign = async (name: string) => {
      const { status, text } = await asBeta(`${server.inference}/wfpredict/${name}`, { method: 'POST', body: 'x' });
      return [status, text.replaceAll(name, 'NAME')];
    };
    expect(await foreign('acme-flow')).toEqual(await foreign('acme-nothing'));
    expect((await asBeta(`${server.management}/workflows`)).text).not.toContain('acme');
    expect((await asBeta(`${server.inference}/predictions/acme-flow__step`, { method: 'POST', body: 'x' })).status).toBe(404);
    expect((await asAcme(`${server.management}/workflows/acme-flow`, { method: 'DELETE' })).status).toBe(200);
  });

  it("TN5 a guard of another tenant's is one that is not there", async () => {
    const ask = () => asAcme(`${server.inference}/predictions/acme-guarded`, { method: 'POST', body: '{"text":"hello"}', headers: JSON_TYPE });
    const before = await ask();
    expect([before.status, before.headers['x-sconce-reason']]).toEqual([422, 'guard_refused']);

    expect(
      (await asBeta(`${server.management}/models?url=beta-echo.mar&model_name=beta-judge&initial_workers=1&synchronous=true`, { method: 'POST' })).status,
    ).toBe(200);
    const requests = () => server.sample('ts_inference_requests_total', 'model_name="beta-judge",model_version="default"');
    const after = await ask();

    expect([after.status, after.text]).toEqual([before.status, before.text]);
    expect(await requests()).toBe(0);
    await server.logHas('ts_log.log', /the guard "beta-judge" of acme-guarded failed: Model not found: beta-judge/);
    expect((await asBeta(`${server.management}/models/beta-judge`, { method: 'DELETE' })).status).toBe(200);
  });

  it('TN3 TN4 no answer holds what another tenant has sent, nor bytes that nobody wrote', async () => {
    const canary = `canary-${randomBytes(16).toString('hex')}`;
    const answer = z.array(z.unknown()).or(z.record(z.string(), z.unknown()));
    for (let round = 0; round < 30; round++) {
      const size = 1 + Math.floor(2 ** (round / 2.3));
      const filler = 'f'.repeat(size);
      const [betas, acmes] = await Promise.all([
        asBeta(`${server.inference}/predictions/beta-echo`, { method: 'POST', body: JSON.stringify({ secret: `${canary}${filler}` }), headers: JSON_TYPE }),
        asAcme(`${server.inference}/predictions/acme-echo`, { method: 'POST', body: JSON.stringify({ text: filler }), headers: JSON_TYPE }),
      ]);
      expect([betas.status, betas.text.includes(canary), acmes.status, acmes.text.includes(canary)]).toEqual([200, true, 200, false]);
      expect(z.object({ data: z.object({ body: z.object({ text: z.string() }) }) }).parse(acmes.json()).data.body.text).toBe(filler);
      expect(acmes.headers['content-length']).toBe(String(acmes.body.length));
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what nobody wrote would be anything
      expect(acmes.text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\ufffd]/);
      answer.parse(acmes.json());
    }
    // The same body is no answer of another's: each comes from the model's own process.
    const body = { method: 'POST', body: '{"same":1}', headers: JSON_TYPE };
    const pid = z.object({ pid: z.number() });
    const [one, other] = [await asAcme(`${server.inference}/predictions/acme-echo`, body), await asBeta(`${server.inference}/predictions/beta-echo`, body)];
    expect(pid.parse(one.json()).pid).not.toBe(pid.parse(other.json()).pid);
    for (const { text } of [await asAcme(`${server.management}/models/acme-echo`), await asAcme(`${server.metrics}/metrics`)])
      expect(text).not.toContain(canary);
  });

  it("TN8 to know the id of another's sequence opens nothing, and ids are not to be guessed", async () => {
    const step = (token: string, id: string) =>
      call(`${server.inference}/predictions/acme-count`, { method: 'POST', body: '1', headers: { ...bearer(token), ts_request_sequence_id: id } });
    expect((await step(server.acme, 'shared-id')).status).toBe(200);

    const stranger = await step(server.beta, 'shared-id');
    expect([stranger.status, stranger.json()]).toMatchObject([404, { message: 'Model not found: acme-count' }]);
    const ids = new Set<unknown>();
    for (let count = 0; count < 20; count++) ids.add((await step(server.acme, 'shared-id')).headers['x-request-id']);
    expect(ids.size).toBe(20);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});

describe('quotas', () => {
  let server: TenantServer;
  beforeAll(async () => {
    server = new TenantServer();
    const models = [await server.scripted('acme-work', 'responseTimeout: 2\nminWorkers: 2\nmaxWorkers: 2\n'), await server.scripted('beta-work')];
    const spoken = `acme-spoken=${await archive(server.store, { name: 'acme-spoken', handler: 'spoken_to.py' })}`;
    await server.serve(['acme-double=double.onnx', 'beta-double=double.onnx', spoken, ...models], {
      acme: { quotas: { models: 4, workers: 6, concurrent: 3, body_mb_in_flight: 0.1 } },
      config: server.sharing('acme-work', 'acme-spoken', 'beta-work'),
    });
  });
  afterAll(() => server.dispose());

  const ask = (model: string, token: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    call(`${server.inference}/predictions/${model}`, { method: 'POST', body: JSON.stringify(body), headers: { ...JSON_TYPE, ...bearer(token), ...headers } });
  const manage = (method: string, path: string, token: string) => call(`${server.management}${path}`, { method, headers: bearer(token) });
  const file = (name: string): string => join(server.shared, name);
  const inFlight = () => server.sample('sconce_tenant_requests_in_flight', 'tenant="acme"');
  /** Takes all places with requests that run until they are let go. */
  const occupy = async (name: string) => {
    const holds = [1, 2, 3].map((count) => ask('acme-work', server.acme, { do: 'hold', started: file(`${name}-${count}`), until: file(`${name}-go`) }));
    await server.eventually(async () => (await inFlight()) === 3, 'three requests of acme are in flight');
    return async () => {
      writeFileSync(file(`${name}-go`), '');
      for (const hold of holds) expect((await hold).status).toBe(200);
    };
  };
  const REFUSED = { code: 429, type: 'TooManyRequestsException', message: 'The tenant acme may have 3 requests at a time (quotas.concurrent).' };

  it('TN1 TN2 requests beyond its places are refused, over REST and gRPC, and nobody else notices', async () => {
    const go = await occupy('full');

    const refused = await ask('acme-double', server.acme, { x: [[1, 2, 3]] });
    expect([refused.status, refused.json(), refused.headers['retry-after'], refused.headers['x-sconce-reason']]).toEqual([429, REFUSED, '1', 'tenant_quota']);
    const inference = new GrpcClient(server.grpcInference, Inference.fullName);
    const prediction = { modelName: 'acme-double', modelVersion: '', input: new Map([['body', Buffer.from('{}')]]) };
    expect(await inference.failure(Inference.methods.predictions, prediction, { token: server.acme })).toMatchObject({
      code: 8,
      details: expect.stringContaining(REFUSED.message),
    });
    const streamed = await collected(inference.serverStream(Inference.methods.streamPredictions, prediction, { token: server.acme }));
    expect(streamed).toMatchObject({ messages: [], end: { code: 8 } });
    const open = new GrpcClient(server.grpcInference, OpenInference.fullName);
    const tensor = { name: 'x', datatype: 'FP32', shape: [1n, 3n], parameters: new Map(), contents: undefined };
    const infer = {
      modelName: 'acme-double',
      modelVersion: '',
      id: '',
      parameters: new Map(),
      inputs: [tensor],
      outputs: [],
      rawInputContents: [Buffer.alloc(12)],
    };
    expect(await open.failure(OpenInference.methods.modelInfer, infer, { token: server.acme })).toMatchObject({ code: 8 });
    expect((await double(server, 'acme-double', bearer(server.acme))).status).toBe(429);
    expect((await double(server, 'beta-double', bearer(server.beta))).status).toBe(200);
    expect((await ask('beta-work', server.beta, { do: 'nothing' })).status).toBe(200);
    // The operator's callers count on the operator.
    expect((await double(server, 'acme-double', bearer(keysOf(server).inference))).status).toBe(200);
    inference.close();
    open.close();
    await go();
    await server.quiet('acme');
    expect((await double(server, 'acme-double', bearer(server.acme))).status).toBe(200);
    expect(await server.sample('sconce_tenant_refusals_total', 'tenant="acme",quota="concurrent"')).toBe(5);
    const own = (await call(`${server.metrics}/metrics`, { headers: bearer(server.beta) })).text;
    expect(own).not.toContain('acme');
  });

  it('TN1 bytes of bodies count as they come together, and a body that never fits is told so', async () => {
    const go = await occupy('bytes');
    await go();
    const long = await ask('acme-work', server.acme, { do: 'nothing', filler: 'x'.repeat(110_000) });
    expect([long.status, long.headers['retry-after'], long.json()]).toEqual([
      413,
      undefined,
      {
        code: 413,
        type: 'BadRequestException',
        message: 'The request is longer than all bodies of the tenant acme together may be: 0.1 MB (quotas.body_mb_in_flight).',
      },
    ]);
    const holding = ask('acme-work', server.acme, { do: 'hold', started: file('bytes-a'), until: file('bytes-b'), filler: 'x'.repeat(60_000) });
    await server.eventually(async () => existsSync(file('bytes-a')), 'it runs');
    const second = await ask('acme-work', server.acme, { do: 'nothing', filler: 'x'.repeat(60_000) });
    expect([second.status, second.headers['retry-after']]).toEqual([429, '1']);
    expect((await ask('acme-work', server.acme, { do: 'nothing' })).status).toBe(200);
    expect((await ask('beta-work', server.beta, { do: 'nothing', filler: 'x'.repeat(200_000) })).status).toBe(200);
    writeFileSync(file('bytes-b'), '');
    expect((await holding).status).toBe(200);
    await server.quiet('acme');
  });

  it('TN1 no place is lost: not to clients that go, workers that die, handlers that hang, and streams that end early', async () => {
    /** A client that goes when `when` holds. */
    const goes = async (body: unknown, when: () => Promise<boolean>) => {
      const outgoing = httpRequest(`${server.inference}/predictions/acme-work`, { method: 'POST', headers: { ...JSON_TYPE, ...bearer(server.acme) } });
      outgoing.on('error', () => undefined);
      outgoing.end(JSON.stringify(body));
      await server.eventually(when, 'the request is on its way');
      outgoing.destroy();
    };
    for (let round = 0; round < 3; round++) {
      const until = file(`gone-${round}-go`);
      await goes({ do: 'hold', started: file(`gone-${round}`), until }, async () => existsSync(file(`gone-${round}`)));
      await goes({ do: 'hold', started: file(`gone-b-${round}`), until }, async () => existsSync(file(`gone-b-${round}`)));
      await goes({ do: 'nothing' }, async () => (await inFlight()) === 3);
      // Whoever waits is let go at once; what runs is counted until it has ended.
      await server.eventually(async () => (await inFlight()) === 2, 'the queued one is gone');
      writeFileSync(until, '');
      await server.quiet('acme');
      await goes({ do: 'stream-until-gone', gone: file(`stream-${round}`) }, async () => (await inFlight()) === 1);
      await server.quiet('acme');
    }
    expect((await ask('acme-work', server.acme, { do: 'exit' })).status).toBe(500);
    await server.quiet('acme');
    const late = await ask('acme-work', server.acme, { do: 'hold', started: file('late'), until: file('late-go') }, { 'x-sconce-timeout-ms': '300' });
    expect(late.status).toBe(504);
    writeFileSync(file('late-go'), '');
    await server.quiet('acme');
    const hung = await ask('acme-work', server.acme, { do: 'hold', started: file('hung'), until: file('never') });
    expect([hung.status, hung.headers['x-sconce-reason']]).toEqual([500, 'handler_timeout']);
    await server.quiet('acme');
    await expect(ask('acme-work', server.acme, { do: 'stream', parts: 2, die: true })).rejects.toThrow();
    await server.quiet('acme');
    expect((await ask('acme-work', server.acme, { do: 'raise' })).status).toBe(503);
    expect((await ask('acme-work', server.acme, 'no json for a dict')).status).toBeGreaterThanOrEqual(500);
    const inference = new GrpcClient(server.grpcInference, Inference.fullName);
    const input = new Map(Object.entries({ do: 'stream until gone', file: file('grpc-gone') }).map(([key, text]) => [key, Buffer.from(text)]));
    const stream = inference.serverStream(Inference.methods.streamPredictions, { modelName: 'acme-spoken', modelVersion: '', input }, { token: server.acme });
    stream.on('error', () => undefined);
    await new Promise((resolve) => stream.once('data', resolve));
    stream.cancel();
    inference.close();
    await server.quiet('acme');
    const go = await occupy('after');
    await go();
  });

  it('TN7 models and workers end at the quota, however many ask at once, and a refusal leaves nothing behind', async () => {
    const served = async () => [
      await server.sample('sconce_tenant_models', 'tenant="acme"'),
      await server.sample('sconce_tenant_workers', 'tenant="acme"'),
      z.object({ models: z.array(z.unknown()) }).parse((await manage('GET', '/models?limit=100', server.acme)).json()).models.length,
    ];
    expect(await served()).toEqual([3, 4, 3]);

    const storm = await Promise.all(
      Array.from({ length: 12 }, (_, i) => manage('POST', `/models?url=double.onnx&model_name=acme-${i}&initial_workers=0`, server.acme)),
    );
    expect(storm.map(({ status }) => status).sort()).toEqual([200, ...Array(11).fill(429)]);
    expect(storm.find(({ status }) => status === 429)?.json()).toEqual({
      code: 429,
      type: 'TooManyRequestsException',
      message: 'The tenant acme may have 4 registered versions of models (quotas.models).',
    });
    expect(storm.find(({ status }) => status === 429)?.headers['retry-after']).toBe('30');
    expect(await served()).toEqual([4, 4, 4]);
    const scales = await Promise.all(
      Array.from({ length: 10 }, () => manage('PUT', '/models/acme-double?min_worker=3&max_worker=3&synchronous=true', server.acme)),
    );
    expect(scales.every(({ status }) => status === 200)).toBe(true);
    expect(await served()).toEqual([4, 6, 4]);
    for (const [workers, status] of [
      [4, 429],
      [900, 429],
      [10_000, 400],
    ])
      expect((await manage('PUT', `/models/acme-double?min_worker=${workers}&max_worker=${workers}`, server.acme)).status).toBe(status);
    expect((await manage('PUT', '/models/acme-double?min_worker=1&max_worker=100000', server.acme)).status).toBe(202);
    expect((await manage('PUT', '/models/acme-double?min_worker=1&max_worker=1&synchronous=true', server.acme)).status).toBe(200);
    expect(await served()).toEqual([4, 4, 4]);
    // The owner's quota, whoever asks: the operator's own call counts too.
    expect((await manage('POST', '/models?url=double.onnx&model_name=acme-extra', keysOf(server).management)).status).toBe(429);
    const kept = storm.findIndex(({ status }) => status === 200);
    expect((await manage('DELETE', `/models/acme-${kept}`, server.acme)).status).toBe(200);
    const broken = await Promise.all(Array.from({ length: 4 }, () => manage('POST', '/models?url=missing.mar&model_name=acme-broken', server.acme)));
    expect(broken.every(({ status }) => status === 404 || status === 429)).toBe(true);
    expect(await served()).toEqual([3, 4, 3]);
    const greedy = await manage('POST', '/models?url=double.onnx&model_name=acme-greedy&initial_workers=3&synchronous=true', server.acme);
    expect(greedy.status).toBe(429);
    expect(await served()).toEqual([3, 4, 3]);
    const management = new GrpcClient(server.grpcManagement, Management.fullName);
    const scale = { modelName: 'acme-double', modelVersion: '', maxWorker: 9, minWorker: 9, numberGpu: 0, synchronous: true, timeout: 1 };
    expect(await management.failure(Management.methods.scaleWorker, scale, { token: server.acme })).toMatchObject({ code: 8 });
    management.close();
    expect((await manage('POST', '/models?url=double.onnx&model_name=beta-more&initial_workers=2&synchronous=true', server.beta)).status).toBe(200);
    expect(auditOf(server)).toContainEqual(
      expect.objectContaining({ who: 'token:acme', tenant: 'acme', verb: 'scale', subject: 'acme-double', result: 'BEYOND_QUOTA' }),
    );
    expect(auditOf(server)).toContainEqual(expect.objectContaining({ who: 'token:acme', verb: 'register', result: 'BEYOND_QUOTA' }));
  });
});

it('TN1 a flood of fifty times its quota is told when to come again, and the neighbour is answered every time', async () => {
  const server = new TenantServer();
  try {
    await server.serve(['acme-double=double.onnx', 'beta-double=double.onnx'], { acme: { quotas: { requests_per_s: 10 } } });
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const startedAtMs = performance.now();
    const flood = Array.from({ length: 500 }, () =>
      call(`${server.inference}/v2/models/acme-double/infer`, { method: 'POST', body: TENSOR, headers: { ...JSON_TYPE, ...bearer(server.acme) }, agent }),
    );
    const honest: number[] = [];
    for (let count = 0; count < 40; count++) honest.push((await double(server, 'beta-double', bearer(server.beta))).status);
    const answers = await Promise.all(flood);
    const tookS = (performance.now() - startedAtMs) / 1000;
    agent.destroy();

    const let_in = answers.filter(({ status }) => status === 200).length;
    const refused = answers.filter(({ status }) => status === 429);
    expect(let_in + refused.length).toBe(500);
    expect(let_in).toBeGreaterThanOrEqual(10);
    expect(let_in).toBeLessThanOrEqual(11 + 10 * tookS);
    for (const { headers, json } of refused) {
      expect(Number(headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(json()).toMatchObject({
        code: 429,
        type: 'TooManyRequestsException',
        error: 'The tenant acme may have 10 requests a second (quotas.requests_per_s).',
      });
    }
    expect(new Set(honest)).toEqual(new Set([200]));
    expect(await server.sample('sconce_tenant_refusals_total', 'tenant="acme",quota="requests_per_s"')).toBe(refused.length);
  } finally {
    await server.dispose();
  }
});

describe('TN6 a store of its own', () => {
  it('holds what a tenant makes models of, keeps what comes for it from URLs, and outlives a restart', async () => {
    const server = new TenantServer();
    try {
      for (const folder of ['acmes', 'betas']) mkdirSync(join(server.folder, folder));
      await archive(join(server.folder, 'betas'), { name: 'secret', handler: 'echo.py' });
      await archive(server.store, { name: 'operators', handler: 'echo.py' });
      await server.serve(['plain=double.onnx'], {
        acme: { store: 'acmes' },
        beta: { store: 'betas' },
        snapshots: 'write',
        config: { allowed_urls: 'file://.*', sconce_store_roots: server.store, sconce_security: 'standard' },
      });
      const register = (token: string, url: string, name: string) =>
        call(`${server.management}/models?url=${encodeURIComponent(url)}&model_name=${name}`, { method: 'POST', headers: bearer(token) });
      const missing = async (url: string) => {
        const { status, text } = await register(server.acme, url, 'acme-x');
        return [status, text.replaceAll(url, 'URL')];
      };

      for (const url of ['secret.mar', 'operators.mar', 'double.onnx']) expect(await missing(url), url).toEqual(await missing('nothing.mar'));
      expect((await register(server.acme, `file://${join(server.folder, 'betas', 'secret.mar')}`, 'acme-x')).status).toBeGreaterThanOrEqual(400);
      expect((await register(server.beta, 'secret.mar', 'beta-x')).status).toBe(200);
      expect((await register(server.acme, `file://${join(server.store, 'operators.mar')}`, 'acme-fetched')).status).toBe(200);
      expect(existsSync(join(server.folder, 'acmes', 'operators.mar'))).toBe(true);
      await server.logHas('ts_log.log', /tenants: acme, beta: each sees and uses what it owns/);

      server.signal('SIGTERM');
      await server.exited;
      await server.start({ tokens: true, snapshots: 'restore' });
      const listed = async (token: string) => (await call(`${server.management}/models`, { headers: bearer(token) })).json();
      expect(await listed(server.acme)).toEqual({ models: [{ modelName: 'acme-fetched', modelUrl: 'operators.mar' }] });
      expect(await listed(server.beta)).toEqual({ models: [{ modelName: 'beta-x', modelUrl: 'secret.mar' }] });
      expect(await missing('secret.mar')).toEqual(await missing('nothing.mar'));
    } finally {
      await server.dispose();
    }
  });
});

it.each([
  ['tenants: {acme: {models: [acme-*], quota: {}}}', 'tenants.acme: Unrecognized key: "quota"'],
  ['tenants: {a: {models: ["x-*"]}, b: {models: ["*-y"]}}', 'tenants.b.models: *-y and x-* of a both match a model named x-y'],
  ['tenants: {default: {models: [x]}}', 'tenants.default: '],
])('CF6 TN6 a tenants file that could be meant otherwise stops the start: %s', async (content, fault) => {
  const server = new RunningServer();
  try {
    writeFileSync(join(server.folder, 'tenants.yaml'), content);

    await expect(server.start({ config: { sconce_tenants: 'tenants.yaml' } })).rejects.toThrow(fault);
    await server.outputHas(`sconce_tenants=${join(server.folder, 'tenants.yaml')}`);
  } finally {
    await server.dispose();
  }
});

it('CF6 under strict, tenants that anybody can pass for are no reason to start', async () => {
  const server = new RunningServer();
  try {
    writeFileSync(join(server.folder, 'tenants.yaml'), 'tenants: {acme: {models: [acme-*]}}');

    await expect(server.start({ config: { sconce_tenants: 'tenants.yaml', sconce_security: 'strict' } })).rejects.toThrow(
      /tenants does not hold|tokens does not hold/,
    );
    expect((await server.exited) === 0).toBe(false);
  } finally {
    await server.dispose();
  }
});
