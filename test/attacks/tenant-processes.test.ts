import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { RunningServer } from '../e2e/running-server.js';
import { archive } from '../fixtures/archives.js';
import { ONNX_FIXTURES } from '../fixtures/driven-runner.js';
import { aToken, bearer } from '../fixtures/token-servers.js';

const server = new RunningServer();
let operator = '';
let acme = '';

beforeAll(async () => {
  copyFileSync(join(ONNX_FIXTURES, 'double.onnx'), join(server.store, 'double.onnx'));
  copyFileSync(join(ONNX_FIXTURES, 'colour.onnx'), join(server.store, 'colour.onnx'));
  writeFileSync(join(server.store, 'colour.yaml'), 'pipeline: { preprocess: { image: {} } }\n');
  await archive(server.store, { name: 'acme-shout', handler: 'shout.mjs' });
  writeFileSync(join(server.folder, 'tenants.yaml'), 'tenants: { acme: { models: ["acme-*"] } }\n');
  await server.start({
    tokens: true,
    config: { sconce_tenants: 'tenants.yaml', default_workers_per_model: '1' },
    args: ['--models', 'acme-double=double.onnx', 'acme-shout.mar', 'own-double=double.onnx', 'own-picture=colour.onnx'],
  });
  [operator, acme] = [
    await aToken(server, 'me', '--scope', 'manage'),
    await aToken(server, 'acme', '--tenant', 'acme', '--scope', 'manage', '--scope', 'infer'),
  ];
});

afterAll(() => server.dispose());

async function isolationOf(name: string, token: string): Promise<string> {
  const [version] = JSON.parse((await server.manage('GET', `/models/${name}?sandbox=true`, { headers: bearer(token) })).text);
  return version.isolation;
}

it('TN4 models of a tenant, and those that decode what tenants send, run in no thread of the server', async () => {
  expect(await isolationOf('acme-double', acme)).toBe('process: it belongs to the tenant acme');
  expect(await isolationOf('acme-shout', acme)).toBe('process: it belongs to the tenant acme');
  expect(await isolationOf('own-picture', operator)).toBe('process: it decodes pictures that tenants send');
  expect(await isolationOf('own-double', operator)).toBe("thread: it is the operator's own");
  const answer = await server.predict('acme-double', { body: '[1,2,3]', headers: { 'content-type': 'application/json', ...bearer(acme) } });
  expect(answer.text).toBe('[2,4,6]');
});
