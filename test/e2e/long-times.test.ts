import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workflowArchive } from '../fixtures/workflows.js';
import { call, RunningServer } from './running-server.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LONGEST_S = 2_147_483_647;
const server = new RunningServer();

beforeAll(async () => {
  copyFileSync(join(ROOT, 'test', 'fixtures', 'onnx', 'double.onnx'), join(server.store, 'double.onnx'));
  await workflowArchive(server.store, { name: 'twice', spec: 'models: {first: {url: double.onnx}, second: {url: double.onnx}}\ndag: {first: [second]}\n' });
  await server.start({ config: { unregister_model_timeout: String(LONGEST_S), metric_time_interval: String(LONGEST_S) } });
});

afterAll(() => server.dispose());

describe('times that no timer can take', () => {
  it('let a model be unregistered', async () => {
    expect((await server.manage('POST', '/models?url=double.onnx&initial_workers=2&synchronous=true')).status).toBe(200);

    const answer = await server.manage('DELETE', '/models/double');

    expect([answer.status, answer.json()]).toEqual([200, { status: 'Model "double" unregistered' }]);
  });

  it('let a workflow be unregistered, with all of its nodes', async () => {
    expect((await server.manage('POST', '/workflows?url=twice.war')).status).toBe(200);

    const answer = await server.manage('DELETE', '/workflows/twice');

    expect([answer.status, (await server.manage('GET', '/models/twice__first')).status]).toEqual([200, 404]);
  });

  it('do not have the host measured without a pause', async () => {
    await call(`${server.metrics}/metrics`);

    expect(server.output).not.toContain('TimeoutOverflowWarning');
  });

  it('let `sconce run` wait for a model to load', () => {
    const folder = join(server.folder, 'patient');
    mkdirSync(folder);
    writeFileSync(join(folder, 'handler.mjs'), 'export function handle(requests) {\n  return requests.map(() => "loaded");\n}\n');
    writeFileSync(join(folder, 'model-config.yaml'), `startupTimeout: ${LONGEST_S}\nresponseTimeout: ${LONGEST_S}\n`);

    const { stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'bin', 'sconce'), 'run', folder, '--handler', 'handler.mjs', '-q'], {
      cwd: server.folder,
      input: '',
      encoding: 'utf8',
    });

    expect([stdout, stderr]).toEqual(['loaded', '']);
  });
});
