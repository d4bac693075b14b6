import { cpSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { call, RunningServer } from './running-server.js';

const server = new RunningServer();

beforeAll(async () => {
  await server.start({ config: { allowed_urls: 'http://.*', sconce_fetch_hosts: '127.0.0.1', model_metrics_auto_detect: 'true', metrics_mode: 'prometheus' } });
});

afterAll(() => server.dispose());

describe('registration', () => {
  it('without workers, with workers, twice: each says what TorchServe says', async () => {
    const file = await archive(server.store, { name: 'plain', handler: 'noop.py' });

    const none = await server.manage('POST', `/models?url=${file}`);
    expect([none.status, none.json()]).toEqual([
      200,
      { status: 'Model "plain" Version: 1.0 registered with 0 initial workers. Use scale workers API to add workers for the model.' },
    ]);
    const again = await server.manage('POST', `/models?url=${file}`);
    expect([again.status, again.json()]).toEqual([
      409,
      { code: 409, type: 'ConflictStatusException', message: 'Model version 1.0 is already registered for model plain' },
    ]);
    const unserved = await server.predict('plain');
    expect([unserved.status, unserved.headers['x-sconce-reason']]).toEqual([503, 'no_workers']);
    expect((await server.manage('PUT', '/models/plain?min_worker=2&synchronous=true')).json()).toEqual({ status: 'Workers scaled to 2 for model: plain' });
    expect((await server.predict('plain')).text).toBe('ok');
    const other = await server.manage('POST', '/models', {
      body: `{'url': '${file}', 'model_name': 'named', initial_workers: '1'}`,
      headers: { 'content-type': 'application/json' },
    });
    expect(other.json()).toEqual({ status: 'Model "named" Version: 1.0 registered with 1 initial workers' });
  });

  it('asynchronous is answered 202 at once and the model comes up', async () => {
    const file = await archive(server.store, { name: 'later', handler: 'noop.py' });

    const { status, json } = await server.manage('POST', `/models?url=${file}&initial_workers=1&synchronous=false`);

    expect([status, json()]).toEqual([202, { status: 'Processing worker updates...' }]);
    await server.eventually(async () => (await server.predict('later')).status === 200, 'it answers');
  });

  it.each([
    ['', 400, 'BadRequestException', 'Parameter url is required.'],
    ['?url=', 404, 'ModelNotFoundException', 'empty url'],
    ['?url=../x.mar', 404, 'ModelNotFoundException', 'Relative path is not allowed in url: ../x.mar'],
    ['?url=missing.mar', 404, 'ModelNotFoundException', 'Model not found at: missing.mar'],
    ['?url=plain.mar&runtime=cobol', 400, 'BadRequestException', 'Invalid RuntimeType value: cobol'],
    ['?url=ftp://example.org/x.mar', 404, 'ModelNotFoundException', 'Model not found at: ftp://example.org/x.mar'],
  ])('of %j is refused with %i', async (query, code, type, message) => {
    const { status, json } = await server.manage('POST', `/models${query}`);

    expect(status).toBe(code);
    expect(json()).toMatchObject({ code, type, message });
  });

  it('from a URL copies the archive into the store, a second time finds it there, and unregistering deletes it', async () => {
    const file = await archive(server.folder, { name: 'remote', handler: 'noop.py' });
    const { createReadStream, existsSync } = await import('node:fs');
    const shop = createServer((_, response) => createReadStream(join(server.folder, file)).pipe(response)).listen(0, '127.0.0.1');
    await new Promise((resolve) => shop.once('listening', resolve));
    const { port } = shop.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/remote.mar`;
    try {
      expect((await server.manage('POST', `/models?url=${url}&initial_workers=1`)).status).toBe(200);
      expect(existsSync(join(server.store, 'remote.mar'))).toBe(true);
      const again = await server.manage('POST', `/models?url=${url}&model_name=x`);
      expect([again.status, again.text]).toEqual([500, expect.stringContaining('Model file already exists remote.mar')]);
      expect((await server.manage('DELETE', '/models/remote')).status).toBe(200);
      expect(existsSync(join(server.store, 'remote.mar'))).toBe(false);
    } finally {
      shop.close();
    }
    const gone = await server.manage('POST', `/models?url=${url}`);
    expect([gone.status, gone.json()]).toEqual([400, { code: 400, type: 'DownloadArchiveException', message: `Failed to download archive from: ${url}` }]);
  });

  it('of a broken archive is refused, leaves nothing, and the others go on', async () => {
    const { writeFileSync } = await import('node:fs');
    writeFileSync(join(server.store, 'junk.mar'), 'this is no zip');

    const { status, json } = await server.manage('POST', '/models?url=junk.mar');

    expect(status).toBe(500);
    expect(json()).toMatchObject({ type: 'InternalServerException', message: expect.stringContaining('Failed to save model: junk.mar') });
    expect((await server.predict('plain')).status).toBe(200);
  });
});

describe('bad input', () => {
  it.each([
    ['a manifest that is no JSON', { files: { 'x.txt': '' }, manifest: 'no json' }, 400, 'Failed to parse signature.json.'],
    ['a manifest without a model', { files: {}, manifest: '{}' }, 400, 'Missing Model entry in manifest file.'],
    ['a manifest without a name', { files: {}, manifest: '{"model":{}}' }, 400, 'Model name is not defined.'],
    ['a manifest with an unknown runtime', { files: {}, manifest: '{"runtime":"ruby","model":{"modelName":"x"}}' }, 400, 'Runtime is not defined or invalid.'],
  ] as const)('%s is refused', async (_, { manifest }, code, message) => {
    const file = await archive(server.store, { name: 'bad', handler: 'noop.py', manifest });

    const { status, json } = await server.manage('POST', `/models?url=${file}`);

    expect([status, json()]).toEqual([code, { code, type: 'InvalidModelException', message }]);
    expect((await server.predict('plain')).status).toBe(200);
  });

  it('a model-config.yaml that is no YAML is told of and counts as none; a key of the wrong type is left out', async () => {
    const broken = await archive(server.store, { name: 'yamlless', handler: 'noop.py', config: 'minWorkers: [1\n' });
    const typed = await archive(server.store, { name: 'typed', handler: 'noop.py', config: 'batchSize: many\nminWorkers: 1\nmaxWorkers: 1\n' });

    expect((await server.manage('POST', `/models?url=${broken}`)).text).toContain('registered with 0 initial workers');
    expect((await server.manage('POST', `/models?url=${typed}`)).text).toContain('registered with 1 initial workers');
    expect(JSON.parse((await server.manage('GET', '/models/typed')).text)[0].batchSize).toBe(1);
    await server.eventually(
      async () => /model-config\.yaml cannot be read/.test(server.log('ts_log.log')) && /batchSize is ignored/.test(server.log('ts_log.log')),
      'the log tells',
    );
  });

  it('a JSON body that is none is refused with the type of TorchServe', async () => {
    const { status, json } = await server.manage('POST', '/models', { body: '{"url": ', headers: { 'content-type': 'application/json' } });

    expect([status, json()]).toMatchObject([500, { type: 'JsonSyntaxException' }]);
  });
});

describe('versions', () => {
  it('the first stays the default until another is set; the default leaves last', async () => {
    const one = await archive(server.store, { name: 'many', version: '1.0', handler: 'echo.py' });
    const two = await archive(server.store, { name: 'many', version: '2.0', handler: 'echo.py' });
    for (const file of [one, two]) expect((await server.manage('POST', `/models?url=${file}&initial_workers=1`)).status).toBe(200);
    const served = async () => JSON.parse((await server.predict('many')).text).version;

    expect(await served()).toBe('1.0');
    expect((await server.manage('PUT', '/models/many/2.0/set-default')).json()).toEqual({
      status: 'Default version successfully updated for model "many" to "2.0"',
    });
    expect(await served()).toBe('2.0');
    expect((await server.manage('PUT', '/models/many/9/set-default')).json()).toMatchObject({
      code: 404,
      message: 'Model version 9 does not exist for model many',
    });
    const forbidden = await server.manage('DELETE', '/models/many/2.0');
    expect([forbidden.status, forbidden.json()]).toEqual([
      403,
      { code: 403, type: 'InvalidModelVersionException', message: 'Cannot remove default version for model many' },
    ]);
    const all = JSON.parse((await server.manage('GET', '/models/many/all')).text);
    expect(all.map((version: { modelVersion: string }) => version.modelVersion).sort()).toEqual(['1.0', '2.0']);
    expect((await server.manage('DELETE', '/models/many/1.0')).status).toBe(200);
    expect((await server.manage('DELETE', '/models/many')).json()).toEqual({ status: 'Model "many" unregistered' });
    expect((await server.predict('many')).status).toBe(404);
  });
});

describe('describing', () => {
  it("a model has TorchServe's fields in its order", async () => {
    const [version] = JSON.parse((await server.manage('GET', '/models/plain')).text);

    expect(Object.keys(version)).toEqual([
      'modelName',
      'modelVersion',
      'modelUrl',
      'runtime',
      'minWorkers',
      'maxWorkers',
      'batchSize',
      'maxBatchDelay',
      'responseTimeout',
      'startupTimeout',
      'maxRetryTimeoutInSec',
      'clientTimeoutInMills',
      'parallelType',
      'parallelLevel',
      'deviceType',
      'continuousBatching',
      'useJobTicket',
      'useVenv',
      'stateful',
      'sequenceMaxIdleMSec',
      'sequenceTimeoutMSec',
      'maxNumSequence',
      'maxSequenceJobQueueSize',
      'loadedAtStartup',
      'workers',
      'jobQueueStatus',
    ]);
    expect(version.workers[0]).toMatchObject({ status: 'READY', gpu: false, gpuUsage: 'N/A' });
    expect(version.jobQueueStatus).toEqual({ remainingCapacity: 100, pendingRequests: 0 });
  });

  it('lists names in order, page by page', async () => {
    const first = JSON.parse((await server.manage('GET', '/models?limit=1')).text);
    const second = JSON.parse((await server.manage('GET', `/models?limit=100&next_page_token=${first.nextPageToken}`)).text);
    const names = [...first.models, ...second.models].map((model: { modelName: string }) => model.modelName);

    expect(first.nextPageToken).toBe('1');
    expect(names).toEqual([...names].sort());
    expect(names).toContain('plain');
  });

  it('scaling to zero stops the workers and keeps the model; wrong counts are refused', async () => {
    expect((await server.manage('PUT', '/models/named?min_worker=0&synchronous=true')).status).toBe(200);
    expect((await server.predict('named')).status).toBe(503);
    expect((await server.manage('PUT', '/models/named?min_worker=2&max_worker=1')).json()).toEqual({
      code: 400,
      type: 'BadRequestException',
      message: 'max_worker cannot be less than min_worker.',
    });
    expect((await server.manage('PUT', '/models/named?min_worker=-1')).status).toBe(400);
    expect((await server.manage('GET', '/v1/models/named')).json()).toEqual({ name: 'named', ready: false });
  });
});

describe('metrics', () => {
  it("the page has TorchServe's names with figures after a prediction", async () => {
    await server.predict('plain');
    await server.eventually(async () => (await call(`${server.metrics}/metrics`)).text.includes('PredictionTime{'), 'the worker has told its time');
    const page = await call(`${server.metrics}/metrics`);

    expect(page.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    for (const name of [
      'Requests2XX{Level="Host",',
      'ts_inference_requests_total{model_name="plain",model_version="default",',
      'PredictionTime{ModelName="plain",Level="Model",',
      'CPUUtilization{',
      'QueueTime{',
      'WorkerLoadTime{',
    ])
      expect(page.text).toContain(name);
  });
});

describe('without the model API', () => {
  it('registering and unregistering are 405, scaling is not', async () => {
    const closed = new RunningServer();
    try {
      cpSync(server.store, closed.store, { recursive: true });
      await closed.start({ config: { enable_model_api: 'false' }, args: ['--models', 'plain.mar'] });

      expect((await closed.manage('POST', '/models?url=later.mar')).json()).toMatchObject({ code: 405, type: 'MethodNotAllowedException' });
      expect((await closed.manage('DELETE', '/models/plain')).status).toBe(405);
      expect((await closed.manage('PUT', '/models/plain?min_worker=1&synchronous=true')).status).toBe(200);
    } finally {
      await closed.dispose();
    }
  });
});

describe('tokens', () => {
  it('each key opens its own door only, and rotation ends the old key', async () => {
    const guarded = new RunningServer();
    try {
      cpSync(server.store, guarded.store, { recursive: true });
      await guarded.start({ tokens: true, args: ['--models', 'plain.mar'], waitForReady: false });
      const { readFileSync, statSync } = await import('node:fs');
      const keyFile = join(guarded.folder, 'key_file.json');
      const keys = () => JSON.parse(readFileSync(keyFile, 'utf8'));
      const bearer = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
      const { inference, management, API } = keys();

      expect(statSync(keyFile).mode & 0o777).toBe(0o600);
      expect((await call(`${guarded.inference}/ping`)).json()).toEqual({
        code: 400,
        type: 'InvalidKeyException',
        message: 'Token Authorization failed. Token either incorrect, expired, or not provided correctly',
      });
      expect((await call(`${guarded.inference}/ping`, bearer(inference.key))).status).toBe(200);
      expect((await call(`${guarded.inference}/ping`, bearer(management.key))).status).toBe(400);
      expect((await guarded.manage('GET', '/models', bearer(management.key))).status).toBe(200);
      expect((await guarded.manage('GET', '/models', bearer(inference.key))).status).toBe(400);
      expect((await call(`${guarded.metrics}/metrics`)).status).toBe(200);
      expect((await guarded.manage('GET', '/token?type=inference', bearer(API.key))).status).toBe(200);
      expect(keys().inference.key).not.toBe(inference.key);
      expect((await call(`${guarded.inference}/ping`, bearer(inference.key))).status).toBe(400);
      expect((await call(`${guarded.inference}/ping`, bearer(keys().inference.key))).status).toBe(200);
    } finally {
      await guarded.dispose();
    }
  });
});
