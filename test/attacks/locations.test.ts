import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ManagementAPIsServiceDefinition as Management } from '../../src/api/grpc-generated/management.js';
import { type HttpResult, RunningServer } from '../e2e/running-server.js';
import { aftermath } from '../fixtures/aftermath.js';
import { GrpcClient } from '../fixtures/grpc-client.js';

/** Allows every http(s) URL and the files of one folder: what is refused is refused by more than a pattern. */
const open = new RunningServer();
/** As it is without any setting. */
const bare = new RunningServer();
const NOTHING = {
  batchSize: 0,
  handler: '',
  initialWorkers: 0,
  maxBatchDelay: 0,
  modelName: '',
  responseTimeout: 0,
  runtime: '',
  synchronous: true,
  s3SseKms: false,
  startupTimeout: 0,
};
let trap: Server;
let trapPort = 0;
const trapped: string[] = [];

beforeAll(async () => {
  trap = createServer((request, response) => {
    trapped.push(request.url ?? '');
    response.end('secret');
  });
  await new Promise<void>((listening) => trap.listen(0, '127.0.0.1', () => listening()));
  const address = trap.address();
  trapPort = typeof address === 'object' && address !== null ? address.port : 0;
  writeFileSync(join(open.folder, 'secret.mar'), 'secret');
  mkdirSync(join(open.folder, 'outside'));
  writeFileSync(join(open.folder, 'outside', 'x.mar'), 'secret');
  symlinkSync(join(open.folder, 'outside'), join(open.store, 'link'));
  symlinkSync(join(open.folder, 'secret.mar'), join(open.store, 'link.mar'));
  await Promise.all([open.start({ config: { allowed_urls: 'https?://.*,file://.*,(a+)+b' } }), bare.start()]);
});

afterAll(async () => {
  trap.close();
  await Promise.all([open.dispose(), bare.dispose()]);
});

aftermath(() => open, { files: ['outside', 'secret.mar'] });
aftermath(() => bare);

const register = (server: RunningServer, url: string, kind = 'models') => server.manage('POST', `/${kind}?url=${encodeURIComponent(url)}`);

/** Registers as a model and as a workflow, both refused, with nothing left in the store and nobody asked. */
async function refused(url: string, server = open): Promise<readonly HttpResult[]> {
  const [before, asked] = [readdirSync(server.store), trapped.length];
  const answers = [await register(server, url), await register(server, url, 'workflows')];
  for (const { status } of answers) expect([400, 404]).toContain(status);
  expect([readdirSync(server.store), trapped.length]).toEqual([before, asked]);
  for (const { text } of answers) expect(text).not.toContain('secret"');
  return answers;
}

describe('CVE-2023-43654: a model from any URL', () => {
  it('is not registered over the API unless allowed_urls was set, and the answer names the key', async () => {
    const [answer] = await refused('http://example.org/evil.mar', bare);

    expect(answer?.text).toContain('allowed_urls is not set, so models of the store alone may be registered over the API.');
  });

  it('CVE-2024-35199: nor over gRPC, which listens on loopback alone', async () => {
    expect(bare.grpcManagement).toMatch(/^127\.0\.0\.1:\d+$/);
    const client = new GrpcClient(bare.grpcManagement, Management.fullName);
    try {
      const url = `http://127.0.0.1:${trapPort}/evil.mar`;
      const { details } = await client.failure(Management.methods.registerModel, { ...NOTHING, url });
      expect(details).toContain('does not match any allowed URL(s)');
    } finally {
      client.close();
    }
    expect(trapped).toEqual([]);
  });
});

it.each(['http://169.254.169.254/latest/meta-data/x.mar', 'http://[fd00:ec2::254]/x.mar', 'http://metadata.google.internal/x.mar'])(
  'UR1 %s is not asked',
  async (url) => {
    await refused(url);
  },
);

it.each(['127.1', '2130706433', '0x7f.1', '0177.0.0.1', '0', 'localhost', 'localhost.', '[::]', '[::1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]'])(
  'UR2 loopback as %s is not asked',
  async (host) => {
    await refused(`http://${host}:${trapPort}/x.mar`);
  },
);

it.each([
  `http://allowed.example@127.0.0.1:PORT/x.mar`,
  `http://127.0.0.1:PORT\\@allowed.example/x.mar`,
  `http://127.0.0.1:PORT#@allowed.example/x.mar`,
  `ht\ntp://127.0.0.1:PORT/x.mar`,
])('UR5 %j is refused', async (url) => {
  await refused(url.replace('PORT', String(trapPort)));
});

it.each(['..', '%2e%2e', '..%5c', '%252e%252e', '.%2e'])('UR7 CVE-2024-35198 %s leads nowhere', async (dots) => {
  await refused(`${pathToFileURL(open.store).href}/${dots}/secret.mar`);
});

it.each(['/etc', '/proc/self/root', '../outside', 'link', 'link.mar', '.'])('UR8 the directory %s is no model', async (path) => {
  await refused(path);
});

it.each([
  'gopher://127.0.0.1/x.mar',
  'ftp://127.0.0.1/x.mar',
  'data:,x',
  'jar:file:///x!/y',
  'unix:/x',
  'FILE:///etc/passwd',
  'file://host/x.mar',
  's3://bucket/x.mar',
  'gs://bucket/x.mar',
  'hf://a/b',
])('UR9 %s brings nothing', async (url) => {
  await refused(url);
});

it.each(['/..', '/.htaccess', '/a%00.mar', `/${'n'.repeat(300)}.mar`, '/', '/a%2fb.mar'])('UR11 the name %s becomes no file', async (path) => {
  await refused(`http://127.0.0.1:${trapPort}${path}`);
});

it.each(['file:///dev/zero', 'file:///proc/kcore', 'file:///etc/passwd', 'file:///dev/stdin'])('UR12 %s is read by nobody', async (url) => {
  await refused(url);
});

it('UR13 an expression with a repetition in a repetition takes no time over a hostile URL', async () => {
  await refused(`http://127.0.0.1:${trapPort}/${'a'.repeat(1900)}`);
});

it('UR14 an open port and a closed one answer alike', async () => {
  const [[closed], [listening]] = [await refused('http://127.0.0.1:1/x.mar'), await refused(`http://127.0.0.1:${trapPort}/x.mar`)];

  expect(listening?.text.replaceAll(String(trapPort), '1')).toBe(closed?.text);
});
