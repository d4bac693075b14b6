import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AwsV4Signer } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { PYTHON, ROOT } from '../fixtures/python-workers.js';
import { RunningServer } from './running-server.js';

const KEYS = { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'an example', AWS_REGION: 'eu-central-1' };
const server = new RunningServer();
let s3: ChildProcess;
let endpoint = '';
let sum = '';

/** Sends a signed PUT to the S3-compatible server. */
async function put(path: string, body: Uint8Array): Promise<void> {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_REGION: region } = KEYS;
  const signed = await new AwsV4Signer({
    url: `${endpoint}${path}`,
    method: 'PUT',
    body: Uint8Array.from(body),
    service: 's3',
    region,
    accessKeyId,
    secretAccessKey,
  }).sign();
  const answer = await fetch(signed.url, { method: 'PUT', headers: signed.headers, body: Uint8Array.from(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

/** Starts moto, which is S3 to every client. */
async function startS3(): Promise<void> {
  s3 = spawn(join(dirname(PYTHON), 'moto_server'), ['-H', '127.0.0.1', '-p', '0'], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } });
  let said = '';
  for (const stream of [s3.stdout, s3.stderr])
    stream?.on('data', (chunk) => {
      said += String(chunk);
    });
  await server.eventually(async () => /http:\/\/127\.0\.0\.1:\d+/.test(said), 'moto listens');
  endpoint = /http:\/\/127\.0\.0\.1:\d+/.exec(said)?.[0] ?? '';
}

beforeAll(async () => {
  await startS3();
  await put('/models', Buffer.from('<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>'));
  const source = new RunningServer();
  const file = readFileSync(join(source.store, await archive(source.store, { name: 'echo', handler: 'echo.py', config: 'minWorkers: 1\nmaxWorkers: 1\n' })));
  sum = createHash('sha256').update(file).digest('hex');
  await put('/models/team%20a/echo.mar', file);
  await put('/models/folders/double/double.onnx', readFileSync(join(ROOT, 'test', 'fixtures', 'onnx', 'double.onnx')));
  await put('/models/folders/double/notes/a%20b.txt', Buffer.from('notes'));
  await put('/models/bad/..%2F..%2Fescape.txt', Buffer.from('x'));
  await source.dispose();
  const config = { allowed_urls: 's3://models/.*', default_workers_per_model: '1' };
  await server.start({ args: ['--models', 'echo=s3://models/team%20a/echo.mar'], config, env: { ...KEYS, AWS_ENDPOINT_URL: endpoint } });
});

afterAll(async () => {
  await server.dispose();
  s3.kill('SIGKILL');
});

const register = (url: string, more = '') => server.manage('POST', `/models?url=${encodeURIComponent(url)}&initial_workers=1&synchronous=true${more}`);

describe('a model on S3', () => {
  it('is served from the start, and its coming is told', async () => {
    expect((await server.predict('echo', { body: 'hello' })).status).toBe(200);
    await server.outputHas(/Fetched s3:\/\/models\/team%20a\/echo\.mar: \d\.\d MiB in/);
  });

  it('may be a folder, which is served as one', async () => {
    const answer = await register('s3://models/folders/double/');

    expect([answer.status, readdirSync(join(server.store, 'double'), { recursive: true }).sort()]).toEqual([200, ['double.onnx', 'notes', 'notes/a b.txt']]);
    expect((await server.predict('double', { body: '[[1,2,3]]', headers: { 'content-type': 'application/json' } })).json()).toEqual([[2, 4, 6]]);
    expect((await server.manage('DELETE', '/models/double')).status).toBe(200);
    expect(readdirSync(server.store)).not.toContain('double');
  });

  it('has to be the one whose checksum was given', async () => {
    await server.manage('DELETE', '/models/echo');
    const wrong = await register(`s3://models/team%20a/echo.mar#sha256=${'0'.repeat(64)}`);
    const right = await register('s3://models/team%20a/echo.mar', `&sha256=${sum}`);

    expect([wrong.status, wrong.text, right.status]).toEqual([400, expect.stringContaining(`has the SHA-256 ${sum}`), 200]);
  });

  it('has no checksum as a folder, and says so', async () => {
    const answer = await register('s3://models/folders/double/', `&sha256=${sum}`);

    expect([answer.status, answer.text]).toEqual([400, expect.stringContaining('is a folder, and sha256 is for files')]);
    expect(readdirSync(server.store)).not.toContain('double');
  });

  it.each(['s3://models/missing.mar', 's3://models/empty/', 's3://models/bad/', 's3://nobodys/echo.mar', 's3://other/echo.mar'])(
    '%s is refused, and nothing is left',
    async (url) => {
      const before = readdirSync(server.store).sort();

      expect([400, 404]).toContain((await register(url)).status);
      expect(readdirSync(server.store).sort()).toEqual(before);
    },
  );
});
