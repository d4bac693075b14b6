import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { InferenceAPIsServiceDefinition as Inference } from '../../src/api/grpc-generated/inference.js';
import { ManagementAPIsServiceDefinition as Management } from '../../src/api/grpc-generated/management.js';
import { type CallOptions, call, type HttpResult, RunningServer } from '../e2e/running-server.js';
import { aftermath } from '../fixtures/aftermath.js';
import { archive } from '../fixtures/archives.js';
import { GrpcClient } from '../fixtures/grpc-client.js';
import { RawClient } from '../fixtures/raw-http.js';

const server = new RunningServer();
const EVIL = 'http://evil.example';

beforeAll(async () => {
  const noop = await archive(server.store, { name: 'noop', handler: 'noop.py', config: 'minWorkers: 1\nmaxWorkers: 1\n' });
  await server.start({ args: ['--models', noop], config: { sconce_host_names: 'models.example,*.inner.example', metrics_mode: 'prometheus' } });
});

afterAll(() => server.dispose());

aftermath(() => server, { model: 'noop' });

/** Every REST listener with a path that it answers. */
const doors = (): readonly string[] => [`${server.inference}/ping`, `${server.management}/models`, `${server.metrics}/metrics`];
const statusOf = async (url: string, headers: Record<string, string>, more: CallOptions = {}): Promise<number> =>
  (await call(url, { headers, ...more })).status;
/** What a listener says to a head that no HTTP client would send. */
async function saidTo(url: string, head: string): Promise<string> {
  const client = await RawClient.open({ port: Number(new URL(url).port) });
  client.send(`${head}\r\nConnection: close\r\n\r\n`);
  return client.closed();
}
const models = async (): Promise<unknown> => (await server.manage('GET', '/models')).json();
async function predictions(): Promise<number> {
  const { text } = await call(`${server.metrics}/metrics`);
  return Number(/^ts_inference_requests_total\{[^}]*noop[^}]*\} (\S+)$/m.exec(text)?.[1] ?? 0);
}

describe('the host of a request', () => {
  it('HO1 that is not the server’s own is 421 on every listener, and the answer names no model', async () => {
    for (const url of doors()) {
      for (const host of [
        'evil.example',
        'evil.example:8080',
        '127.0.0.1.evil.example',
        'localhost.evil.example',
        '10.0.0.1',
        '169.254.169.254',
        '[fe80::1]',
        '0.0.0.0',
      ]) {
        const answer = await call(url, { headers: { host } });
        expect([host, answer.status]).toEqual([host, 421]);
        expect(answer.json()).toMatchObject({ code: 421, message: expect.stringContaining('sconce_host_names') });
        expect(answer.text).not.toContain('noop');
      }
    }
  });

  it('is any name or address of loopback with any port, or one that is listed', async () => {
    for (const url of doors())
      for (const host of [
        'localhost',
        'LOCALHOST:1',
        'a.localhost',
        '127.0.0.1:99',
        '127.9.9.9',
        '[::1]:8080',
        'models.example',
        'Models.Example.:443',
        'a.b.inner.example',
      ])
        expect([host, await statusOf(url, { host })]).toEqual([host, 200]);
  });

  it('HO2 that is missing, there twice or none at all is 400', async () => {
    const heads = [
      '',
      '\r\nHost: localhost\r\nHost: localhost',
      '\r\nHost: localhost\r\nHost: evil.example',
      '\r\nHost:',
      '\r\nHost: user@localhost',
      '\r\nHost: localhost/models',
      '\r\nHost: localhost%00.evil.example',
      '\r\nHost: localhost, evil.example',
      '\r\nHost: localhost:8080:8080',
      '\r\nHost: [::1',
    ];
    for (const url of doors()) {
      const { pathname } = new URL(url);
      for (const head of heads) expect([head, await saidTo(url, `GET ${pathname} HTTP/1.1${head}`)]).toEqual([head, expect.stringMatching(/^HTTP\/1\.1 400 /)]);
      expect(await saidTo(url, `GET http://evil.example${pathname} HTTP/1.1\r\nHost: localhost`)).toMatch(/^HTTP\/1\.1 400 /);
      expect(await saidTo(url, `GET http://evil.example${pathname} HTTP/1.1\r\nHost: evil.example`)).toMatch(/^HTTP\/1\.1 421 /);
      expect(await saidTo(url, `GET ${pathname} HTTP/1.0`)).toMatch(/^HTTP\/1\.\d 200 /);
    }
  });

  it('HO7 is the authority of a gRPC call, on both ports', async () => {
    const say = async (address: string, authority: string) => {
      const client = new GrpcClient(address, address === server.grpcInference ? Inference.fullName : Management.fullName, {
        'grpc.default_authority': authority,
      });
      const end =
        address === server.grpcInference
          ? await client.failure(Inference.methods.ping, {})
          : await client.failure(Management.methods.listModels, { limit: 0, nextPageToken: 0 });
      client.close();
      return end;
    };
    for (const address of [server.grpcInference, server.grpcManagement]) {
      const refused = await say(address, 'evil.example:7070');
      expect(refused).toMatchObject({ code: 3, details: expect.stringContaining('sconce_host_names') });
      expect(refused.details).not.toContain('noop');
      expect((await say(address, 'user@localhost')).code).toBe(3);
      expect((await say(address, 'models.example')).code).toBe(0);
      expect((await say(address, 'localhost:1')).code).toBe(0);
    }
  });
});

describe('a request of a web page', () => {
  it('HO3 a cross-site simple POST is 403, and nothing has come of it', async () => {
    const before = { models: await models(), predictions: await predictions() };
    const targets = [
      `${server.management}/models?url=noop.mar&model_name=planted`,
      `${server.inference}/predictions/noop`,
      `${server.inference}/v1/models/noop:predict`,
      `${server.management}/token?type=management`,
    ];
    for (const url of targets) {
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json']) {
        const answer = await call(url, {
          method: 'POST',
          body: '{}',
          headers: { origin: 'https://evil.example', 'content-type': type, 'sec-fetch-site': 'cross-site' },
        });
        expect([url, type, answer.status]).toEqual([url, type, 403]);
      }
      expect(await statusOf(url, { 'sec-fetch-site': 'cross-site' }, { method: 'POST' })).toBe(403);
    }

    expect(await models()).toEqual(before.models);
    expect(await predictions()).toBe(before.predictions);
  });

  it('HO4 other origins that look like ours are 403', async () => {
    const { port } = new URL(server.inference);
    const lookAlikes = [
      'null',
      'http://127.0.0.1.evil.example',
      `http://localhost:${port}@evil`,
      'http://127.0.0.1:1',
      `http://localhost.evil.example:${port}`,
      `ftp://127.0.0.1:${port}`,
      '',
    ];
    for (const origin of lookAlikes) {
      const answer = await server.predict('noop', { headers: { origin } });
      expect([origin, answer.status]).toEqual([origin, 403]);
    }
    const two = await saidTo(server.inference, `GET /ping HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: http://127.0.0.1:${port}\r\nOrigin: ${EVIL}`);
    expect(two).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('of the server’s own origin, and of clients that are no browsers, passes', async () => {
    const { host } = new URL(server.inference);

    expect((await server.predict('noop', { headers: { origin: `http://${host}`, 'sec-fetch-site': 'same-origin' } })).status).toBe(200);
    expect((await server.predict('noop', { headers: { 'sec-fetch-site': 'none' } })).status).toBe(200);
    expect((await server.predict('noop')).status).toBe(200);
  });

  it('HO5 a preflight of a foreign origin gets no permission', async () => {
    const asking = { origin: EVIL, 'access-control-request-method': 'DELETE', 'access-control-request-headers': 'authorization' };
    for (const url of [`${server.management}/models/noop`, `${server.inference}/predictions/noop`, `${server.metrics}/metrics`]) {
      const { headers } = await call(url, { method: 'OPTIONS', headers: asking });
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control-'))).toEqual([]);
    }
  });

  it('HO6 can neither read nor do anything, by whatever a browser sends for it', async () => {
    const before = { models: await models(), predictions: await predictions() };
    const fetched: readonly (readonly [string, CallOptions])[] = [
      ['fetch, no-cors', { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' } }],
      ['fetch, cors', { headers: { origin: EVIL, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' } }],
      ['img', { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' } }],
      [
        'form',
        {
          method: 'POST',
          headers: { origin: EVIL, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'content-type': 'application/x-www-form-urlencoded' },
        },
      ],
      [
        'WebSocket',
        {
          headers: {
            origin: EVIL,
            'sec-fetch-site': 'cross-site',
            connection: 'Upgrade',
            upgrade: 'websocket',
            'sec-websocket-key': 'x',
            'sec-websocket-version': '13',
          },
        },
      ],
    ];
    for (const url of [...doors(), `${server.inference}/predictions/noop`]) {
      for (const [how, options] of fetched) {
        const answer: HttpResult = await call(url, options);
        expect([url, how, answer.status]).toEqual([url, how, 403]);
        expect(answer.headers['access-control-allow-origin']).toBeUndefined();
        expect(answer.headers['cross-origin-resource-policy']).toBe('same-origin');
        expect(answer.headers['x-content-type-options']).toBe('nosniff');
        expect(answer.text).not.toContain('noop');
      }
    }
    expect(await statusOf(`${server.inference}/api-description`, { origin: EVIL, 'sec-fetch-site': 'cross-site' })).toBe(200);

    expect(await models()).toEqual(before.models);
    expect(await predictions()).toBe(before.predictions);
  });
});

describe('what a request smuggles into a form or an answer', () => {
  const form = (body: string, boundary = 'x'): Promise<HttpResult> =>
    server.predict('noop', { body, headers: { 'content-type': `multipart/form-data; boundary=${boundary}` } });
  const part = (name: string, content: string): string => `--x\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;

  it('HT17 hostile forms are refused or plain data, and make no file', async () => {
    expect((await form(`${Array.from({ length: 10_000 }, (_, index) => part(`p${index}`, 'x')).join('')}--x--\r\n`)).status).toBe(400);
    expect((await form(`--x\r\nContent-Disposition: form-data; name="${'a'.repeat(2 ** 20)}"\r\n\r\ny\r\n--x--\r\n`)).status).toBeGreaterThanOrEqual(400);
    expect((await form('no boundary in it')).status).toBe(500);
    const escaping =
      '--x\r\nContent-Disposition: form-data; name="data"; filename="../../../../planted"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\nz\r\n--y--\r\n--x--\r\n';
    expect((await form(escaping)).status).toBe(200);
    expect((await server.predict('noop', { body: 'x', headers: { 'content-type': 'multipart/form-data' } })).status).toBe(200);
    expect(() => readFileSync(`${server.folder}/planted`)).toThrow();
    expect((await server.predict('noop')).status).toBe(200);
  });

  it('HT18 line breaks in a name end no header', async () => {
    for (const path of ['/predictions/%0d%0aSet-Cookie:%20a=b', '/predictions/noop/%0d%0aSet-Cookie:%20a=b', '/%0d%0aSet-Cookie:%20a=b']) {
      const { status, rawHeaders } = await call(`${server.inference}${path}`);
      expect([path, status]).toEqual([path, 404]);
      expect(rawHeaders.map((text) => text.toLowerCase())).not.toContain('set-cookie');
    }
  });
});

describe('addresses', () => {
  const outside = Object.values(networkInterfaces())
    .flat()
    .find((one) => one?.family === 'IPv4' && !one.internal)?.address;

  /** What a server says that will not start, and its exit code. */
  async function refusal(config: Record<string, string>, env: Record<string, string> = {}) {
    const refused = new RunningServer();
    try {
      const starting = refused.start({ tokens: true, config, env }).then(
        () => 'started',
        () => 'ended',
      );
      return { end: await starting, code: await Promise.race([refused.exited, Promise.resolve(undefined)]), output: refused.output };
    } finally {
      await refused.dispose();
    }
  }

  it.each([
    ['every interface', { inference_address: 'http://0.0.0.0:0' }, {}, 'inference_address=http://0.0.0.0:0 has no TLS (https)'],
    ['every interface of IPv6', { management_address: 'http://[::]:0' }, {}, 'management_address=http://[::]:0 has no TLS (https)'],
    ['the metrics', { metrics_address: 'http://0.0.0.0:0' }, {}, 'metrics_address=http://0.0.0.0:0 has no TLS (https), no token is asked for there'],
    ['gRPC', { grpc_inference_address: '0.0.0.0' }, {}, 'grpc_inference_address=0.0.0.0 has no TLS (enable_grpc_ssl)'],
    ['TLS with nobody’s key', { inference_address: 'https://0.0.0.0:0' }, {}, 'no TLS key of your own'],
    ['tokens off', { grpc_management_address: '0.0.0.0', disable_token_authorization: 'true' }, {}, 'no tokens (disable_token_authorization)'],
    ['the environment', { enable_envvars_config: 'true' }, { TS_INFERENCE_ADDRESS: 'http://0.0.0.0:0' }, 'inference_address=http://0.0.0.0:0 has no TLS'],
  ])('CF1 beyond this machine by %s starts no server, and one line names the key', async (_, config, env, says) => {
    const { end, code, output } = await refusal(config, env);

    expect([end, code]).toEqual(['ended', 1]);
    const line = output.split('\n').find((one) => one.startsWith('Refusing to listen beyond this machine')) ?? '';
    expect(line).toContain(says);
    expect(line).toContain('sconce_allow_public_address=true');
    expect(output).not.toContain('API bind to');
  });

  it('CF1 with the key it starts, warns loudly and takes any host name; the listeners that nobody named stay local', async () => {
    const open = new RunningServer();
    try {
      await open.start({ tokens: true, waitForReady: false, config: { inference_address: 'http://0.0.0.0:0', sconce_allow_public_address: 'inference' } });
      const { port } = new URL(open.inference);

      await open.outputHas(/WARN.*listeners: OPEN TO THE NETWORK.*inference_address=http:\/\/0\.0\.0\.0:0/);
      expect(await statusOf(`http://127.0.0.1:${port}/ping`, { host: 'balancer.example' })).toBe(400);
      if (outside !== undefined) {
        expect(await statusOf(`http://${outside}:${port}/ping`, {})).toBe(400);
        for (const address of [open.management, open.metrics])
          await expect(call(`http://${outside}:${new URL(address).port}/`)).rejects.toThrow('ECONNREFUSED');
      }
      expect((await call(`${open.management}/models`, { headers: { host: 'balancer.example' } })).status).toBe(421);
    } finally {
      await open.dispose();
    }
  });

  it('CF1 strict does not start even then', async () => {
    const { end, output } = await refusal({ inference_address: 'http://0.0.0.0:0', sconce_allow_public_address: 'true', sconce_security: 'strict' });

    expect(end).toBe('ended');
    expect(output).toContain('sconce_security=strict, and listeners does not hold');
  });
});
