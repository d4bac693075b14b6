import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { type CryptoKey, exportSPKI, importJWK, type JWTPayload, SignJWT } from 'jose';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { writeKeyFile } from '../../src/admission/key-file.js';
import { TokenGate } from '../../src/admission/token-gate.js';
import { InferenceAPIsServiceDefinition as Inference } from '../../src/api/grpc-generated/inference.js';
import { call, RunningServer } from '../e2e/running-server.js';
import { GrpcClient } from '../fixtures/grpc-client.js';
import { MODEL_ROUTES } from '../fixtures/model-routes.js';
import { RawClient } from '../fixtures/raw-http.js';
import { aGuardedServer, aToken, auditOf, bearer, double, type Entrance, entrancesOf, keysOf, sconce } from '../fixtures/token-servers.js';

const REFUSED = { code: 400, type: 'InvalidKeyException', message: 'Token Authorization failed. Token either incorrect, expired, or not provided correctly' };
const ROTATION_REFUSED = { ...REFUSED, message: 'Token Authentication failed. Token either incorrect, expired, or not provided correctly' };
const MIB = 2 ** 20;

const portOf = (url: string): number => Number(new URL(url).port);
const addressOf = (server: RunningServer, { api }: Entrance): string =>
  api === 'inference' ? server.inference : api === 'management' ? server.management : server.metrics;
/** A path that fits: names filled in, and a verb where the route looks for one. */
const pathOf = ({ route }: Entrance): string =>
  route
    .replace('/:wfpredict/', '/WfPredict/')
    .replace('*', 'x')
    .replace('/v1/models/:model', '/v1/models/a-double:predict')
    .replaceAll(/:\w+(?!.*:predict)/g, 'a-double');

describe('a server that guesses do not slow down', () => {
  let server: RunningServer;
  let all: readonly Entrance[];
  beforeAll(async () => {
    server = await aGuardedServer({ sconce_token_guesses: '0', metrics_mode: 'prometheus', sconce_metrics_token: 'true' });
    all = await entrancesOf(server);
  });
  afterAll(() => server.dispose());
  const guarded = (grpc: boolean): readonly Entrance[] => all.filter(({ method, scope }) => scope !== 'open' && (method === 'gRPC') === grpc);

  it('SC3 every route and method of a real server has a scope, and the open ones are those that are known to be', () => {
    expect(all.length).toBeGreaterThan(90);
    for (const { scope } of all) expect(['open', 'infer', 'manage', 'metrics', 'token-admin']).toContain(scope);
    const open = all.filter(({ scope }) => scope === 'open').map(({ method, route }) => `${method} ${route}`);
    expect([...new Set(open)].sort()).toEqual([
      'OPTIONS /',
      'any /api-description',
      'any /live',
      'any /ready',
      'gRPC /grpc.health.v1.Health/Check',
      'gRPC /grpc.health.v1.Health/Watch',
      'gRPC /grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      'gRPC /grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo',
    ]);
  });

  it('TK1 no route opens to a missing, wrong, empty or misspelt token, nor to one in the query', async () => {
    const { inference, management, api } = keysOf(server);
    const good = { infer: inference, manage: management, metrics: management, 'token-admin': api };
    const routes = guarded(false);
    expect(routes.length).toBeGreaterThan(50);
    for (const entrance of routes) {
      const key = good[z.enum(['infer', 'manage', 'metrics', 'token-admin']).parse(entrance.scope)];
      const base = `${addressOf(server, entrance)}${pathOf(entrance)}`;
      const method = entrance.method === 'any' ? 'POST' : entrance.method;
      const headers = [undefined, 'Bearer wrong', '', 'Bearer', `bearer ${key}`, `Basic ${Buffer.from(`x:${key}`).toString('base64')}`, `Bearer ${key}x`, key];
      for (const authorization of headers) {
        const { status, json } = await call(base, { method, headers: authorization === undefined ? {} : { authorization } });
        expect([status, json()], `${method} ${base} ${authorization}`).toEqual([400, entrance.scope === 'token-admin' ? ROTATION_REFUSED : REFUSED]);
      }
      for (const name of ['token', 'access_token', 'authorization']) {
        const { status } = await call(`${base}?${name}=${key}`, { method });
        expect(status, `${method} ${base}?${name}`).toBe(400);
      }
    }
  });

  it('TK1 a token of 1 MiB is cut off on every route', async () => {
    for (const entrance of guarded(false)) {
      const client = await RawClient.open({ port: portOf(addressOf(server, entrance)) });
      client.send(
        `${entrance.method === 'any' ? 'POST' : entrance.method} ${pathOf(entrance)} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${'x'.repeat(MIB)}\r\n\r\n`,
      );
      expect(await client.closed(), entrance.route).toMatch(/^(HTTP\/1\.1 (400|431) |$)/);
    }
    expect((await double(server, 'a-double', bearer(keysOf(server).inference))).status).toBe(200);
  });

  it('TK1 GR1 no method opens to a missing or wrong token, nor to the key of the other port', async () => {
    const { inference, management, api } = keysOf(server);
    const methods = guarded(true);
    expect(methods.length).toBeGreaterThan(18);
    const clients = {
      inference: new Client(server.grpcInference, credentials.createInsecure()),
      management: new Client(server.grpcManagement, credentials.createInsecure()),
    };
    const asked = ({ api: port, route }: Entrance, authorization: string | undefined) =>
      new Promise<number>((resolve) => {
        const metadata = new Metadata();
        if (authorization !== undefined) metadata.set('authorization', authorization);
        const bytes = (value: Buffer): Buffer => value;
        const client = port === 'management' ? clients.management : clients.inference;
        client.makeUnaryRequest(route, bytes, bytes, Buffer.alloc(0), metadata, (error) => resolve(error?.code ?? 0));
      });
    for (const method of methods) {
      const [own, other] = method.scope === 'manage' ? [management, inference] : [inference, management];
      for (const authorization of [undefined, '', 'Bearer', 'Bearer wrong', `bearer ${own}`, `Basic ${own}`, own, `Bearer ${other}`, `Bearer ${api}`])
        expect(await asked(method, authorization), `${method.route} ${authorization}`).toBe(7);
      expect(await asked(method, `Bearer ${own}`), method.route).not.toBe(7);
    }
    clients.inference.close();
    clients.management.close();
  });

  it('TK2 each key opens its own API and no other', async () => {
    const { inference, management, api } = keysOf(server);
    for (const [key, statuses] of [
      [inference, [200, 400, 400, 400]],
      [management, [400, 200, 200, 400]],
      [api, [400, 400, 400, 200]],
    ] as const) {
      const headers = bearer(key);
      const got = [
        await call(`${server.inference}/ping`, { headers }),
        await call(`${server.management}/models`, { headers }),
        await call(`${server.metrics}/metrics`, { headers }),
        await call(`${server.management}/token?type=management`, { headers }),
      ];
      expect(got.map(({ status }) => status)).toEqual(statuses);
    }
  });

  it('TK3 only the path /token is about keys', async () => {
    const { inference, management, api } = keysOf(server);
    const told = async (path: string, key: string, more = {}) => {
      const { status, json } = await call(`${path.startsWith('/pred') ? server.inference : server.management}${path}`, {
        headers: { ...bearer(key), ...more },
      });
      return [status, z.object({ message: z.string().optional() }).parse(json()).message];
    };

    expect(await told('/models/token1', management)).toEqual([404, 'Model not found: token1']);
    expect(await told('/models', management, { referer: '/token' })).toEqual([200, undefined]);
    expect(await told('/predictions/m?x=/token', inference)).toEqual([404, 'Model not found: m']);
    for (const path of ['/Token', '/models/token', '/predictions/m?x=/token']) expect(await told(path, api)).toEqual([400, REFUSED.message]);
    for (const path of ['/token/', '/token']) expect(await told(path, management)).toEqual([400, ROTATION_REFUSED.message]);
    expect((await told('/token/x', management))[0]).toBe(404);
  });

  it('TK5 a renewed key and a rotated token end at once: for new requests, kept connections and the next message of a stream', async () => {
    const { inference, api } = keysOf(server);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const client = new GrpcClient(server.grpcInference, Inference.fullName);
    const stream = client.stream(Inference.methods.streamPredictions2, { token: inference });
    const ended = new Promise<number>((resolve) => stream.on('error', (error: Error & { code?: number }) => resolve(error.code ?? -1)));
    const heard = new Promise((resolve) => stream.once('data', resolve));
    const message = { modelName: 'a-double', modelVersion: '', input: new Map([['body', Buffer.from('{}')]]), sequenceId: 's' };
    stream.write(message);
    await heard;
    expect((await call(`${server.inference}/ping`, { headers: bearer(inference), agent })).status).toBe(200);

    expect((await call(`${server.management}/token?type=inference`, { headers: bearer(api) })).status).toBe(200);

    expect((await call(`${server.inference}/ping`, { headers: bearer(inference), agent })).status).toBe(400);
    expect((await call(`${server.inference}/ping`, { headers: bearer(inference) })).status).toBe(400);
    stream.write(message);
    expect(await ended).toBe(7);
    client.close();
    agent.destroy();

    const named = await aToken(server, 'rotated', '--scope', 'infer');
    expect((await double(server, 'a-double', bearer(named))).status).toBe(200);
    const next = (await sconce(server, 'token', 'rotate', 'rotated')).stdout.trim();
    expect([(await double(server, 'a-double', bearer(named))).status, (await double(server, 'a-double', bearer(next))).status]).toEqual([400, 200]);
    const last = (await sconce(server, 'token', 'rotate', 'rotated', '--grace', '1h')).stdout.trim();
    expect([(await double(server, 'a-double', bearer(next))).status, (await double(server, 'a-double', bearer(last))).status]).toEqual([200, 200]);
    expect((await sconce(server, 'token', 'revoke', 'rotated')).code).toBe(0);
    expect([(await double(server, 'a-double', bearer(next))).status, (await double(server, 'a-double', bearer(last))).status]).toEqual([400, 400]);
  });

  it("TK10 another tenant's model is not there: in no call, in no list, in no metric, in the words for what there is not", async () => {
    const token = await aToken(server, 'of-a', '--tenant', 'a', '--scope', 'infer:a-*', 'manage:a-*', 'metrics:a-*');
    const headers = bearer(token);
    const tensor = JSON.stringify({ inputs: [{ name: 'x', shape: [1, 3], datatype: 'FP32', data: [1, 2, 3] }] });
    for (const [door, method, path] of MODEL_ROUTES) {
      const asked = async (model: string) => {
        const body =
          method === 'POST' && !path.startsWith('/models?') ? { body: tensor, headers: { ...headers, 'content-type': 'application/json' } } : { headers };
        const { status, text } = await call(`${server[door]}${path.replace('MODEL', model)}`, { method, ...body });
        return [status, text.replaceAll(model, 'MODEL')];
      };
      const [known, unknown] = [await asked('b-double'), await asked('no-model')];
      expect([known[0], known], `${method} ${path}`).toEqual([404, unknown]);
    }
    expect((await double(server, 'a-double', headers)).status).toBe(200);
    expect((await call(`${server.management}/models/a-double`, { headers })).status).toBe(200);
    expect((await call(`${server.management}/models`, { headers })).json()).toEqual({ models: [{ modelName: 'a-double', modelUrl: 'double.onnx' }] });
    expect((await call(`${server.inference}/v1/models`, { headers })).json()).toEqual({ models: ['a-double'] });
    await double(server, 'b-double', bearer(keysOf(server).inference));
    const page = (await call(`${server.metrics}/metrics`, { headers })).text;
    expect(page).toContain('a-double');
    expect(page).not.toContain('b-double');
    const unnamed = await call(`${server.management}/models?url=double.onnx`, { method: 'POST', headers });
    expect([unnamed.status, unnamed.json()]).toMatchObject([403, { message: 'This token may register a-* only: model_name has to be given and fit.' }]);
    expect((await call(`${server.management}/models?url=double.onnx&model_name=a-2`, { method: 'POST', headers })).status).toBe(200);
    const grpc = new GrpcClient(server.grpcInference, Inference.fullName);
    const failure = async (modelName: string) =>
      (await grpc.failure(Inference.methods.predictions, { modelName, modelVersion: '', input: new Map() }, { token })).details.replace(modelName, 'MODEL');
    expect(await failure('b-double')).toBe(await failure('no-model'));
    grpc.close();
  });

  it('TK11 a token that was put where it does not belong is in no log and no answer', async () => {
    const named = await aToken(server, 'canary', '--scope', 'infer');
    const { inference, management, api } = keysOf(server);
    for (const key of [named, inference, management, api]) {
      const answers = [
        await call(`${server.inference}/ping?token=${key}`),
        await call(`${server.inference}/predictions/a-double?access_token=${key}&x=1`, { method: 'POST' }),
        await call(`${server.inference}/ping?q=Bearer%20${key}`, { headers: { authorization: `Basic ${key}` } }),
      ];
      for (const { text } of answers) expect(text).not.toContain(key);
      // The answers to these tell the caller its own URL, as TorchServe's do.
      const registered = [
        await call(`${server.management}/models?url=https%3A%2F%2Fexample.org%2Fm.mar%3Fsignature%3D${key}`, { method: 'POST', headers: bearer(management) }),
        await call(`${server.management}/models?url=https://user:${key}@example.org/m.mar`, { method: 'POST', headers: bearer(management) }),
      ];
      for (const { status } of registered) expect(status).toBeGreaterThanOrEqual(400);
      await call(`${server.inference}/nowhere`, { headers: bearer(key) });
    }
    await server.logHas('access_log.log', '/nowhere');
    for (const file of readdirSync(join(server.folder, 'logs')).filter((name) => statSync(join(server.folder, 'logs', name)).isFile()))
      for (const key of [named, management, api]) expect(server.log(file), file).not.toContain(key);
    expect(server.output).not.toContain(named);
    expect(readFileSync(join(server.folder, 'sconce_tokens.json'), 'utf8')).not.toContain(named);
    await server.logHas('access_log.log', '"GET /ping?token=*** HTTP/1.1" 400');
  });

  it('TK12 two Authorization headers prove nothing, whichever comes first', async () => {
    const good = `Authorization: Bearer ${keysOf(server).inference}\r\n`;
    for (const headers of [good + good, `${good}authorization: Bearer x\r\n`, `AUTHORIZATION: Bearer x\r\n${good}`]) {
      const client = await RawClient.open({ port: portOf(server.inference) });
      client.send(`GET /ping HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`);
      expect(JSON.parse((await client.answer()).body)).toEqual(REFUSED);
      client.close();
    }
  });

  it('LG3 the audit of all of that is unbroken, and names who changed what', async () => {
    const { code, stdout } = await sconce(server, 'audit', 'verify');
    expect([code, stdout]).toEqual([0, expect.stringContaining('unbroken')]);
    const lines = auditOf(server);
    expect(lines).toContainEqual(expect.objectContaining({ who: 'key:API', verb: 'rotate-key', subject: 'inference', result: 'done' }));
    expect(lines).toContainEqual(
      expect.objectContaining({ who: 'token:of-a', tenant: 'a', verb: 'unregister', subject: 'b-double', result: 'MODEL_NOT_FOUND' }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ who: 'tokens file', verb: 'token-revoked', subject: 'rotated' }));
    expect(lines).toContainEqual(
      expect.objectContaining({ verb: 'authorize', result: 'TOKEN_REFUSED', why: 'wrong', from: expect.stringMatching(/^\/127\.0\.0\.1:\d+$/) }),
    );
  });
});

it('TK4 an expired key is refused in the words for a wrong one', async () => {
  const server = await aGuardedServer({ token_expiration_min: '0.05' });
  try {
    const headers = bearer(keysOf(server).inference);
    await server.eventually(async () => (await call(`${server.inference}/ping`, { headers })).status === 400, 'the key expires');

    expect((await call(`${server.inference}/ping`, { headers })).json()).toEqual(REFUSED);
    expect((await call(`${server.management}/token?type=inference`, { headers: bearer(keysOf(server).api) })).status).toBe(200);
    expect((await call(`${server.inference}/ping`, { headers: bearer(keysOf(server).inference) })).status).toBe(200);
  } finally {
    await server.dispose();
  }
});

it('TK6 how long a refusal takes does not tell how much of a guess was right', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tk6-'));
  const gateOf = (file: string): TokenGate => new TokenGate({ disabled: false, expirationMinutes: 60, keyFile: join(folder, file) });
  const gate = gateOf('key_file.json');
  // What a guess costs by itself, of which key it knows nothing, is told by a gate with another key.
  const stranger = gateOf('another.json');
  const key = gate.inferenceKey;
  // Through a buffer: a string put together of parts is walked part by part each time that it is used.
  const guesses = Array.from({ length: key.length }, (_, shared) =>
    Buffer.from(key.slice(0, shared) + (key[shared] === 'A' ? 'B' : 'A').repeat(key.length - shared)).toString(),
  );
  const timeAt = (asked: TokenGate, guess: string): number => {
    const from = process.hrtime.bigint();
    try {
      void asked.authorize(['infer'], { id: '', peer: '', authorization: [`Bearer ${guess}`] });
    } catch {
      return Number(process.hrtime.bigint() - from);
    }
    throw new Error('a guess was right');
  };
  /** How much longer a guess takes than it would with another key, ns. Each goes first as often as the other. */
  const timeOf = (guess: string, strangerFirst: boolean): number => {
    const [first, second] = strangerFirst ? [stranger, gate] : [gate, stranger];
    const [one, other] = [timeAt(first, guess), timeAt(second, guess)];
    return strangerFirst ? other - one : one - other;
  };
  /** Slope in ns per right character, and the half width of its interval of 95 %. */
  const slopeOf = (count: number): readonly [slope: number, half: number] => {
    const samples = Array.from({ length: count }, (_, at): [x: number, y: number] => {
      const x = randomInt(guesses.length);
      return [x, timeOf(guesses[x] ?? '', at % 2 === 0)];
    });
    const sizes = samples.map(([, y]) => Math.abs(y)).sort((a, b) => a - b);
    const cut = sizes[Math.floor(sizes.length * 0.9)] ?? 0;
    const kept = samples.filter(([, y]) => Math.abs(y) <= cut);
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    const [meanX, meanY] = [mean(kept.map(([x]) => x)), mean(kept.map(([, y]) => y))];
    const xx = kept.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
    const slope = kept.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / xx;
    const residual = kept.reduce((sum, [x, y]) => sum + (y - meanY - slope * (x - meanX)) ** 2, 0);
    return [slope, 1.96 * Math.sqrt(residual / (kept.length - 2) / xx)];
  };
  slopeOf(4000);

  // An interval of 95 % misses one time in twenty; a slope that is there is missed by none of five.
  const tries = Array.from({ length: 5 }, () => slopeOf(20_000));

  rmSync(folder, { recursive: true });
  expect(
    tries.some(([slope, half]) => Math.abs(slope) <= half),
    JSON.stringify(tries),
  ).toBe(true);
});

it('TK7 a thousand guesses are told to wait, and who has a token notices nothing', async () => {
  const server = await aGuardedServer({ metrics_mode: 'prometheus' });
  try {
    const headers = bearer(keysOf(server).inference);
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const guesses = Array.from({ length: 1000 }, (_, i) => call(`${server.inference}/ping`, { headers: bearer(`guess-${i}`), agent }));
    const honest = await Promise.all(Array.from({ length: 50 }, () => double(server, 'a-double', headers)));
    const answers = await Promise.all(guesses);
    agent.destroy();

    expect(honest.map(({ status }) => status)).toEqual(Array.from({ length: 50 }, () => 200));
    const statuses = answers.map(({ status }) => status);
    expect([statuses.filter((status) => status === 400).length, statuses.filter((status) => status === 429).length]).toEqual([10, 990]);
    const last = answers.find(({ status }) => status === 429);
    expect(Number(last?.headers['retry-after'])).toBeGreaterThan(0);
    expect(last?.json()).toMatchObject({ code: 429, type: 'TooManyRequestsException' });
    const page = (await call(`${server.metrics}/metrics`)).text;
    expect(page).toMatch(/sconce_token_refusals_total\{reason="throttled",hostname="[^"]*",\} 990\.0/);
    expect(page).toMatch(/sconce_token_refusals_total\{reason="wrong",hostname="[^"]*",\} 10\.0/);
    server.signal('SIGTERM');
    await server.exited;
    const refusals = auditOf(server).filter(({ verb }) => verb === 'authorize');
    const counted = refusals.reduce((sum, { count }) => sum + (typeof count === 'number' ? count : 1), 0);
    expect(refusals.length).toBeLessThan(20);
    expect(counted).toBe(1000);
  } finally {
    await server.dispose();
  }
});

describe('TK8 CF3 the key file', () => {
  it('replaces a link that was laid for it, and leaves what the link leads to alone', async () => {
    const server = new RunningServer();
    const victim = join(server.folder, 'victim');
    writeFileSync(victim, 'untouched');
    symlinkSync(victim, join(server.folder, 'key_file.json'));
    try {
      await aGuardedServer({}, server);

      const file = lstatSync(join(server.folder, 'key_file.json'));
      expect([file.isFile(), file.mode & 0o777, readFileSync(victim, 'utf8')]).toEqual([true, 0o600, 'untouched']);
    } finally {
      await server.dispose();
    }
  });

  it('is not written over a folder: the server does not start', async () => {
    const server = new RunningServer();
    mkdirSync(join(server.folder, 'key_file.json'));
    try {
      await expect(aGuardedServer({}, server)).rejects.toThrow('key_file.json could not be written');
    } finally {
      await server.dispose();
    }
  });

  it('can be read by nobody else at any moment of its writing, whatever the umask', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tk8-'));
    const watcher = new Worker(
      `const { readdirSync, statSync } = require('node:fs'); const { parentPort, workerData } = require('node:worker_threads');
       let on = true, looks = 0; const modes = new Set(); parentPort.on('message', () => { on = false; });
       parentPort.postMessage('looking');
       (function look() { for (let i = 0; i < 200; i++) try { for (const name of readdirSync(workerData)) { modes.add(statSync(workerData + '/' + name).mode & 0o777); looks++; } } catch {}
         if (on) setImmediate(look); else parentPort.postMessage({ modes: [...modes], looks }); })();`,
      { eval: true, workerData: folder },
    );
    await new Promise((resolve) => watcher.once('message', resolve));
    const before = process.umask(0);
    const key = { key: 'k', expiresAtMs: undefined };
    for (let i = 0; i < 300; i++) writeKeyFile(join(folder, 'key_file.json'), { management: key, inference: key, api: key });
    process.umask(before);
    const seen = new Promise<unknown>((resolve) => watcher.once('message', resolve));
    watcher.postMessage('enough');

    expect(await seen).toEqual({ modes: [0o600], looks: expect.any(Number) });
    await watcher.terminate();
    rmSync(folder, { recursive: true });
  });

  it.each([
    ['others may write', 0o666, 'chmod 600'],
    ['their group may write', 0o660, 'chmod 600'],
  ])('a tokens file that %s keeps the server from starting', async (_, mode, says) => {
    const server = new RunningServer();
    writeFileSync(join(server.folder, 'sconce_tokens.json'), '{"version": 1, "tokens": []}');
    chmodSync(join(server.folder, 'sconce_tokens.json'), mode);
    try {
      await expect(aGuardedServer({}, server)).rejects.toThrow(says);
    } finally {
      await server.dispose();
    }
  });

  it('a folder in which anybody can put another key file is told of, and refused at the level strict', async () => {
    const server = new RunningServer();
    chmodSync(server.folder, 0o777);
    try {
      await aGuardedServer({}, server);
      await server.outputHas('key file: anybody can put another in its place');
      server.signal('SIGTERM');
      await server.exited;
      await expect(aGuardedServer({ sconce_security: 'strict' }, server)).rejects.toThrow('key file does not hold');
    } finally {
      await server.dispose();
    }
  });
});

describe('TK9 JWTs of a real issuer', () => {
  let issuer: ChildProcess;
  let server: RunningServer;
  let url = '';
  let key: CryptoKey;
  let publicPem = '';
  let hits = 0;
  const trap = createServer((_request, response) => {
    hits++;
    response.end('{"keys":[]}');
  });
  beforeAll(async () => {
    issuer = spawn(process.execPath, [fileURLToPath(new URL('../fixtures/oidc-issuer.mjs', import.meta.url))], { stdio: ['ignore', 'pipe', 'ignore'] });
    const told = await new Promise<string>((resolve, reject) => {
      issuer.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()));
      issuer.once('exit', () => reject(new Error('the issuer ended')));
    });
    const read = z.object({ issuer: z.string(), key: z.looseObject({ kty: z.string() }) }).parse(JSON.parse(told));
    url = read.issuer;
    const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...publicJwk } = read.key;
    key = z.custom<CryptoKey>().parse(await importJWK(read.key, 'RS256'));
    publicPem = await exportSPKI(z.custom<CryptoKey>().parse(await importJWK(publicJwk, 'RS256')));
    await new Promise<void>((resolve) => trap.listen(0, '127.0.0.1', () => resolve()));
    server = await aGuardedServer({
      sconce_oidc_issuer: url,
      sconce_oidc_audience: 'sconce',
      sconce_oidc_tenant_claim: 'org.tenant',
      sconce_token_guesses: '0',
    });
  });
  afterAll(async () => {
    await server.dispose();
    trap.close();
    issuer.kill();
  });
  const issued = async (scope: string): Promise<string> => {
    const authorization = `Basic ${Buffer.from(`trainer:${encodeURIComponent('of the trainer')}`).toString('base64')}`;
    const { json } = await call(`${url}/token`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
      body: `grant_type=client_credentials&scope=${encodeURIComponent(scope)}`,
    });
    return z.object({ access_token: z.string() }).parse(json()).access_token;
  };
  const now = (): number => Math.floor(Date.now() / 1000);
  const claims = (over: Readonly<Record<string, unknown>> = {}): JWTPayload => ({
    iss: url,
    aud: 'sconce',
    sub: 'forger',
    exp: now() + 600,
    scope: 'sconce:infer',
    org: { tenant: 'team-a' },
    ...over,
  });
  const signed = (payload: JWTPayload, header: Record<string, unknown> = {}): Promise<string> =>
    new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: 'of-the-issuer', ...header }).sign(key);
  const statusOf = async (token: string): Promise<number> => (await double(server, 'a-double', bearer(token))).status;

  it('what it issues opens what its scopes say, over REST and gRPC, and says who it was in the audit', async () => {
    const token = await issued('sconce:infer:double');
    const more = await signed(claims({ scope: 'unrelated sconce:infer:a-* sconce:manage:a-*' }));

    expect((await double(server, 'a-double', bearer(token))).status).toBe(404);
    expect((await call(`${server.inference}/ping`, { headers: bearer(token) })).status).toBe(200);
    expect((await call(`${server.management}/models`, { headers: bearer(token) })).status).toBe(400);
    expect([await statusOf(more), (await double(server, 'b-double', bearer(more))).status]).toEqual([200, 404]);
    expect((await call(`${server.management}/models/a-double?min_worker=1&synchronous=true`, { method: 'PUT', headers: bearer(more) })).status).toBe(200);
    const client = new GrpcClient(server.grpcInference, Inference.fullName);
    expect(await client.failure(Inference.methods.ping, {}, { token: await issued('sconce:infer:double') })).toMatchObject({ code: 0 });
    client.close();
    expect(auditOf(server)).toContainEqual(
      expect.objectContaining({ who: 'jwt:forger', tenant: 'team-a', verb: 'scale', subject: 'a-double', result: 'done' }),
    );
  });

  it('what it did not issue, or not for this server, or not any more, opens nothing, and nobody else is asked for keys', async () => {
    const trapUrl = `http://127.0.0.1:${z.object({ port: z.number() }).parse(trap.address()).port}/keys`;
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const good = await signed(claims());
    const [head = '', payload = '', signature = ''] = good.split('.');
    const { publicKey: _, ...own } = await (async () => {
      const { generateKeyPair, exportJWK } = await import('jose');
      const pair = await generateKeyPair('RS256', { extractable: true });
      return { publicKey: pair.publicKey, mine: pair.privateKey, jwk: await exportJWK(pair.publicKey) };
    })();
    const bad: Readonly<Record<string, string>> = {
      'alg none': `${encode({ alg: 'none' })}.${encode(claims())}.`,
      'alg none with a signature': `${encode({ alg: 'none', kid: 'of-the-issuer' })}.${encode(claims())}.${signature}`,
      'HS256 with the public key': await new SignJWT(claims()).setProtectedHeader({ alg: 'HS256', kid: 'of-the-issuer' }).sign(Buffer.from(publicPem)),
      'other claims under the signature': `${head}.${encode(claims({ scope: 'sconce:admin' }))}.${signature}`,
      'signature cut': `${head}.${payload}.${signature.slice(0, -4)}`,
      'wrong audience': await signed(claims({ aud: 'another' })),
      'no audience': await signed(claims({ aud: undefined })),
      'wrong issuer': await signed(claims({ iss: 'https://evil.example' })),
      expired: await signed(claims({ exp: now() - 60 })),
      'no expiry': await signed(claims({ exp: undefined })),
      'not yet': await signed(claims({ nbf: now() + 600 })),
      'no subject': await signed(claims({ sub: undefined })),
      'empty subject': await signed(claims({ sub: '' })),
      'no tenant': await signed(claims({ org: {} })),
      'tenant that is a path': await signed(claims({ org: { tenant: '../b' } })),
      'no scope': await signed(claims({ scope: undefined })),
      'scopes of another': await signed(claims({ scope: 'admin infer openid' })),
      'kid that is a path': await signed(claims(), { kid: '../../x' }),
      'own key by jku': await new SignJWT(claims()).setProtectedHeader({ alg: 'RS256', jku: trapUrl, kid: 'mine' }).sign(own.mine),
      'own key by x5u': await new SignJWT(claims()).setProtectedHeader({ alg: 'RS256', x5u: trapUrl }).sign(own.mine),
      'own key in the header': await new SignJWT(claims()).setProtectedHeader({ alg: 'RS256', jwk: own.jwk }).sign(own.mine),
      'own key under the right kid': await new SignJWT(claims()).setProtectedHeader({ alg: 'RS256', kid: 'of-the-issuer' }).sign(own.mine),
      'a good one with a jku': await signed(claims(), { jku: trapUrl }),
      'unknown crit': `${encode({ alg: 'RS256', kid: 'of-the-issuer', crit: ['x'], x: 1 })}.${payload}.${signature}`,
      'no JSON': `${Buffer.from('{').toString('base64url')}.${payload}.${signature}`,
      'deep JSON': `${Buffer.from('['.repeat(3000)).toString('base64url')}.${payload}.${signature}`,
    };

    expect(await statusOf(good)).toBe(200);
    for (const [what, token] of Object.entries(bad)) expect([what, await statusOf(token)]).toEqual([what, 400]);
    expect(hits).toBe(0);
    const client = await RawClient.open({ port: portOf(server.inference) });
    client.send(`GET /ping HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${await signed(claims({ padding: 'x'.repeat(MIB) }))}\r\n\r\n`);
    expect(await client.closed()).toMatch(/^(HTTP\/1\.1 (400|431) |$)/);
    expect(await statusOf(good)).toBe(200);
  });

  it('an issuer that cannot be reached refuses its tokens, and keeps no one else out', async () => {
    const gone = await aGuardedServer({ sconce_oidc_issuer: 'http://127.0.0.1:9', sconce_oidc_audience: 'sconce' });
    try {
      const token = await new SignJWT(claims({ iss: 'http://127.0.0.1:9' })).setProtectedHeader({ alg: 'RS256', kid: 'of-the-issuer' }).sign(key);

      expect((await double(gone, 'a-double', bearer(token))).json()).toMatchObject({ code: 400, type: 'InvalidKeyException' });
      expect((await double(gone, 'a-double', bearer(keysOf(gone).inference))).status).toBe(200);
      await gone.outputHas('The keys of the issuer http://127.0.0.1:9 cannot be had');
    } finally {
      await gone.dispose();
    }
  });

  it.each([
    [{ sconce_oidc_issuer: 'https://issuer.example' }, 'sconce_oidc_issuer needs sconce_oidc_audience'],
    [{ sconce_oidc_issuer: 'http://issuer.example', sconce_oidc_audience: 'sconce' }, 'an https URL, or http on loopback'],
  ])('%j does not start', async (config, says) => {
    const refused = new RunningServer();
    try {
      await expect(aGuardedServer(config, refused)).rejects.toThrow(says);
    } finally {
      await refused.dispose();
    }
  });
});

it('SC3 source that registers a route or a method without a scope does not compile', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const planted = join(root, 'src/api/planted-sample.ts');
  const source = `import type { GrpcMethod } from './grpc-method.js';
import type { Route } from './route.js';
export const route: Route = { connector: 'inference', methods: 'any', pattern: '/backdoor', handle: () => undefined };
export const method = { service: 's', name: 'M', requestStream: false, responseStream: false, begin: () => ({ message() {}, halfClosed() {} }) } satisfies GrpcMethod;
`;
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (file) => file === planted || fileExists(file);
  host.readFile = (file) => (file === planted ? source : readFile(file));
  const program = ts.createProgram([planted], options, host);
  const file = program.getSourceFile(planted);

  const messages = program.getSemanticDiagnostics(file).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));

  expect(messages).toEqual([expect.stringContaining("Property 'scope' is missing"), expect.stringContaining("Property 'scope' is missing")]);
});
