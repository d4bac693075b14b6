import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { JavascriptBackend } from '../../src/backends/javascript/javascript-backend.js';
import { aServableModel, buildThreads } from '../fixtures/driven-runner.js';
import { hosted } from '../fixtures/hosted-models.js';
import { backendContract } from './backend.js';

const folder = mkdtempSync(join(tmpdir(), 'sconce-handlers-'));

beforeAll(() => {
  buildThreads();
  writeFileSync(join(folder, 'echo.mjs'), 'export const handle = (requests) => requests.map((request) => request.text());');
  writeFileSync(
    join(folder, 'slow.mjs'),
    'export async function handle(requests) { await new Promise((resolve) => setTimeout(resolve, 300)); return requests.map((request) => request.text()); }',
  );
  writeFileSync(join(folder, 'broken.mjs'), 'throw new Error("no weights");');
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const model = (handler: string) => aServableModel({ backend: 'javascript', directory: folder, handler });

const models = () => ({
  echo: { model: model('echo.mjs'), bodies: ['"a"', '"b"'], answers: ['"a"', '"b"'] },
  slow: { model: model('slow.mjs'), body: '"c"', answer: '"c"' },
  broken: model('broken.mjs'),
});

backendContract('javascript', () => new JavascriptBackend({ environment: {}, maxHeapMb: undefined }), models);
backendContract('javascript in sandboxed processes', () => hosted((host) => new JavascriptBackend({ environment: {}, maxHeapMb: undefined, host })), models);
