import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { aDescription, aServableModel } from '../../../test/fixtures/kept-model-service.js';
import { aManagementApi, anError } from '../../../test/fixtures/management-api.js';
import { UnregisterTimedOut } from '../../errors/model.js';

const NOT_ALLOWED = anError(405, 'MethodNotAllowedException', 'Requested method is not allowed, please refer to API document.');
const NOT_FOUND = anError(404, 'ResourceNotFoundException', 'Requested resource is not found, please refer to API document.');

describe('unregister', () => {
  it.each([
    ['/models/m/2.0', '2.0'],
    ['/models/m/2.0?synchronous=false&timeout=-1', '2.0'],
  ])('DELETE %s', async (target, version) => {
    const { models, told } = aManagementApi();
    expect(await told('DELETE', target)).toEqual([200, { status: 'Model "m" unregistered' }]);
    expect(models.unregistered).toEqual([['m', version]]);
  });

  it('without a version takes the default one', async () => {
    const { models, told } = aManagementApi();
    models.versions.pop();
    expect(await told('DELETE', '/models/m')).toEqual([200, { status: 'Model "m" unregistered' }]);
    expect(models.unregistered).toEqual([['m', undefined]]);
  });

  it.each([
    ['/models/unknown', anError(404, 'ModelNotFoundException', 'Model not found: unknown')],
    ['/models/m/9.9', anError(404, 'ModelVersionNotFoundException', 'Model version: 9.9 does not exist for model: m')],
    ['/models/m', anError(403, 'InvalidModelVersionException', 'Cannot remove default version for model m')],
    ['/models/m/1.0', anError(403, 'InvalidModelVersionException', 'Cannot remove default version for model m')],
  ])('DELETE %s is refused', async (target, refusal) => {
    const { models, told } = aManagementApi();
    expect(await told('DELETE', target)).toEqual(refusal);
    expect(models.unregistered).toEqual([]);
  });

  it('that times out is answered 408', async () => {
    const { models, told } = aManagementApi();
    models.unregister = async (model) => {
      throw UnregisterTimedOut({ model });
    };
    expect(await told('DELETE', '/models/m')).toEqual(anError(408, 'RequestTimeoutException', 'Timed out while cleaning resources: m'));
  });

  it.each(['/models/m', '/models/m/2.0', '/models/unknown'])('DELETE %s is not allowed with the model API off', async (target) => {
    const { models, told } = aManagementApi({ enableModelApi: false });
    expect(await told('DELETE', target)).toEqual(NOT_ALLOWED);
    expect(models.unregistered).toEqual([]);
  });
});

describe('set-default', () => {
  it.each([true, false])('changes the default version, model API on: %s', async (enableModelApi) => {
    const { models, told } = aManagementApi({ enableModelApi });
    const status = 'Default version successfully updated for model "m" to "2.0"';
    expect(await told('PUT', '/models/m/2.0/set-default')).toEqual([200, { status }]);
    expect(models.defaults.get('m')).toBe('2.0');
  });

  it.each([
    ['/models/unknown/1.0/set-default', anError(404, 'ModelNotFoundException', 'Model not found: unknown')],
    ['/models/m/9.9/set-default', anError(404, 'ModelVersionNotFoundException', 'Model version 9.9 does not exist for model m')],
  ])('PUT %s is refused', async (target, refusal) => {
    expect(await aManagementApi().told('PUT', target)).toEqual(refusal);
  });

  it.each(['POST', 'DELETE', 'OPTIONS'])('%s is not allowed there', async (method) => {
    const { models, told } = aManagementApi();
    expect(await told(method, '/models/m/2.0/set-default')).toEqual(NOT_ALLOWED);
    expect(models.unregistered).toEqual([]);
  });
});

describe('OPTIONS on a model', () => {
  it.each(['/models/m', '/models/m/2.0'])('%s shows its management API', async (target) => {
    const [status, document] = await aManagementApi().told('OPTIONS', target);
    const paths = ['/models/{model_name}', '/models/{model_name}/{model_version}', '/models/{model_name}/{model_version}/set-default'];
    expect(status).toBe(200);
    expect(document).toMatchObject({ openapi: '3.0.1', info: { title: 'RESTful Management API for: m', version: '0.12.0' } });
    expect(Object.keys(z.object({ paths: z.record(z.string(), z.unknown()) }).parse(document).paths)).toEqual(paths);
  });

  it('that is unknown is 404', async () => {
    const { told } = aManagementApi();
    expect(await told('OPTIONS', '/models/unknown')).toEqual(anError(404, 'ModelNotFoundException', 'Model not found: unknown'));
    expect((await told('OPTIONS', '/models/m/9.9'))[0]).toBe(404);
  });
});

describe('KServe v1 readiness', () => {
  it.each([
    ['/v1/models/m', true],
    ['/v1/models/m:predict', true],
    ['/v1/models/idle', false],
  ])('of %s is whether it has workers: %s', async (target, ready) => {
    const { models, told } = aManagementApi();
    models.versions.push(aDescription({ model: aServableModel({ name: 'idle' }), workers: [] }));
    expect(await told('GET', target)).toEqual([200, { name: ready ? 'm' : 'idle', ready }]);
  });

  it('of an unknown model is 404, and only GET asks for it', async () => {
    const { told } = aManagementApi();
    expect(await told('GET', '/v1/models/unknown:x')).toEqual(anError(404, 'ModelNotFoundException', 'Model not found: unknown'));
    expect(await told('POST', '/v1/models/m')).toEqual(NOT_ALLOWED);
  });
});

describe('paths', () => {
  it.each([
    ['POST', '/models/m'],
    ['PATCH', '/models/m/1.0'],
    ['HEAD', '/models/m'],
  ])('%s %s is not allowed', async (method, target) => {
    expect(await aManagementApi().told(method, target)).toEqual(NOT_ALLOWED);
  });

  it.each(['/model', '/models/m/1.0/other', '/models/m/1.0/set-default/x', '/v1/models', '/ping'])('%s is not found', async (target) => {
    expect(await aManagementApi().told('GET', target)).toEqual(NOT_FOUND);
  });
});

it('crashes are listed, of one model where it is named', async () => {
  const { models, told } = aManagementApi();
  const dossier = { atMs: 1, version: '1.0', workerName: 'W', pid: 7, exitCode: 1, signal: undefined, during: 'load', cause: 'c' } as const;
  const rest = { requestIds: [], memoryPeakBytes: undefined, lastLines: [] };
  models.dossiers.push({ ...dossier, ...rest, model: 'm' }, { ...dossier, ...rest, model: 'n' });
  const names = async (target: string) => {
    const [status, body] = await told('GET', target);
    return [
      status,
      z
        .array(z.object({ model: z.string() }))
        .parse(body)
        .map(({ model }) => model),
    ];
  };
  expect(await names('/sconce/crashes')).toEqual([200, ['m', 'n']]);
  expect(await names('/sconce/crashes?model=n')).toEqual([200, ['n']]);
  expect(await names('/sconce/crashes?model=x')).toEqual([200, []]);
});

describe('tokens', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'management-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const keyFile = z.object({ management: z.object({ key: z.string() }), inference: z.object({ key: z.string() }), API: z.object({ key: z.string() }) });
  const bearing = (key: string) => ({ headers: [['Authorization', `Bearer ${key}`]] as const });
  const AUTHORIZATION = anError(400, 'InvalidKeyException', 'Token Authorization failed. Token either incorrect, expired, or not provided correctly');
  const AUTHENTICATION = anError(400, 'InvalidKeyException', 'Token Authentication failed. Token either incorrect, expired, or not provided correctly');

  function aGuardedApi() {
    const api = aManagementApi({ keyFolder: folder });
    api.tokens.start();
    const keys = () => keyFile.parse(JSON.parse(readFileSync(join(folder, 'key_file.json'), 'utf8')));
    return { ...api, keys };
  }

  it('of management are asked for, others are refused', async () => {
    const { told, keys } = aGuardedApi();
    expect((await told('GET', '/models', bearing(keys().management.key)))[0]).toBe(200);
    for (const key of [keys().inference.key, keys().API.key, 'x']) expect(await told('GET', '/models', bearing(key))).toEqual(AUTHORIZATION);
    expect(await told('GET', '/models')).toEqual(AUTHORIZATION);
    expect(await told('GET', '/nowhere')).toEqual(AUTHORIZATION);
    expect(await told('PATCH', '/models/m')).toEqual(AUTHORIZATION);
  });

  it.each(['GET', 'POST', 'PUT', 'DELETE'])('are renewed by %s /token with the API key, and the answer is an empty line', async (method) => {
    const { ask, keys } = aGuardedApi();
    const before = keys();
    const reply = await ask(method, '/token?type=inference', bearing(before.API.key));
    expect([reply.status, reply.body, reply.headers]).toEqual([200, '\n', [['content-type', 'application/json']]]);
    expect(keys().inference.key).not.toBe(before.inference.key);
    expect([keys().management.key, keys().API.key]).toEqual([before.management.key, before.API.key]);
  });

  it('of management serve at once after their renewal, and the old one no more', async () => {
    const { ask, told, keys } = aGuardedApi();
    const before = keys();
    await ask('GET', '/token?type=management', bearing(before.API.key));
    expect((await told('GET', '/models', bearing(keys().management.key)))[0]).toBe(200);
    expect(await told('GET', '/models', bearing(before.management.key))).toEqual(AUTHORIZATION);
  });

  it.each(['/token', '/token?type=', '/token?type=API', '/token?type=both'])('are not renewed by %s', async (target) => {
    const { told, keys } = aGuardedApi();
    const before = keys();
    expect(await told('GET', target, bearing(before.API.key))).toEqual(AUTHENTICATION);
    expect(keys()).toEqual(before);
  });

  it('are not renewed without the API key', async () => {
    const { told, keys } = aGuardedApi();
    expect(await told('GET', '/token?type=inference')).toEqual(AUTHENTICATION);
    expect(await told('GET', '/token?type=inference', bearing(keys().management.key))).toEqual(AUTHENTICATION);
  });

  it('are renewed only by that very path: a model may be called token', async () => {
    const { models, told, keys } = aGuardedApi();
    models.versions.push(aDescription({ model: aServableModel({ name: 'token' }) }));
    const before = keys();
    expect((await told('GET', '/models/token', bearing(before.management.key)))[0]).toBe(200);
    expect(await told('GET', '/token/x?type=inference', bearing(before.management.key))).toEqual(NOT_FOUND);
    expect(keys()).toEqual(before);
  });

  it('that are off leave no /token', async () => {
    const { told } = aManagementApi();
    expect(await told('GET', '/token?type=inference')).toEqual(NOT_FOUND);
    expect((await told('GET', '/models'))[0]).toBe(200);
  });
});
