import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { ROOT } from '../fixtures/python-workers.js';
import { RunningServer } from './running-server.js';

const server = new RunningServer();
/** Takes `{"n": 0..}`: loops for ever over 13, is at a loss for a negative number. */
const FRAGILE = `export function handle(requests) {
  return requests.map((request) => {
    const { n } = request.json();
    while (n === 13) {}
    if (n < -2) throw new Error('negative: ' + n);
    return { root: n };
  });
}
`;
const CONFIG = `minWorkers: 1
maxWorkers: 1
responseTimeout: 1
sconce:
  inputs:
    schema: {type: object, required: [n], properties: {n: {type: integer, minimum: -20, maximum: 20}}}
`;
const report = z.object({
  requests: z.number(),
  seed: z.number(),
  findings: z.array(z.object({ verdict: z.string(), family: z.string(), inputBase64: z.base64().transform((text) => Buffer.from(text, 'base64').toString()) })),
});

beforeAll(async () => {
  const folder = join(server.store, 'fragile');
  mkdirSync(join(folder, 'MAR-INF'), { recursive: true });
  writeFileSync(join(folder, 'handler.mjs'), FRAGILE);
  writeFileSync(join(folder, 'model-config.yaml'), CONFIG);
  const model = { modelName: 'fragile', modelVersion: '1.0', handler: 'handler.mjs', configFile: 'model-config.yaml' };
  writeFileSync(join(folder, 'MAR-INF', 'MANIFEST.json'), JSON.stringify({ runtime: 'python', model }));
  copyFileSync(join(ROOT, 'test', 'fixtures', 'onnx', 'double.onnx'), join(server.store, 'double.onnx'));
  await server.start({ args: ['--models', 'fragile', 'double.onnx'], config: { ts_open_inference_protocol: 'true' } });
});

afterAll(() => server.dispose());

function fuzz(...args: readonly string[]) {
  const where = ['--inference', server.inference, '--management', server.management, '-o', 'found'];
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, 'bin', 'sconce'), 'fuzz', ...args, ...where], {
    cwd: server.folder,
    encoding: 'utf8',
  });
  return { status, stdout, stderr, report: report.safeParse(JSON.parse(readFileSync(join(server.folder, 'found.json'), 'utf8'))).data };
}

it('`sconce fuzz` finds what a model cannot take, as small as it gets, and the same again for the same seed', () => {
  const run = fuzz('fragile', '--seed', '5', '--requests', '400', '--timeout', '5');

  expect([run.status, run.stderr]).toEqual([3, '']);
  const found = run.report?.findings.filter(({ family }) => family === 'schema').map(({ verdict, inputBase64 }) => [verdict, inputBase64]);
  expect(found).toContainEqual(['handler fault', '{"n":-3}']);
  expect(found).toContainEqual(['time-out', '{"n":13}']);
  expect(readFileSync(join(server.folder, 'found.html'), 'utf8')).toContain('time-out');
  expect(run.report?.seed).toBe(5);
}, 120_000);

it('a model that takes everything or refuses it in good order has a report without findings', () => {
  const run = fuzz('double', '--seed', '5', '--requests', '250');

  expect([run.status, run.report?.findings, run.report?.requests]).toEqual([0, [], 250]);
  expect(run.stdout).toContain('250 requests, 0 found; seed 5; found.html, found.json');
});
