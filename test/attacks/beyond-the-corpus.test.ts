import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, RunningServer } from '../e2e/running-server.js';
import { RawClient } from '../fixtures/raw-http.js';
import { aGuardedServer, aToken, bearer, double, keysOf } from '../fixtures/token-servers.js';

const server = new RunningServer();
const infer = () => bearer(keysOf(server).inference);

beforeAll(async () => {
  await aGuardedServer({ metrics_mode: 'prometheus', sconce_token_guesses: '0' }, server);
});

afterAll(() => server.dispose());

async function servesOn(): Promise<void> {
  expect((await double(server, 'a-double', infer())).status).toBe(200);
}

describe('who a caller says that he is', () => {
  it('XX3 by headers of the server’s own or of proxies counts for nothing', async () => {
    const token = await aToken(server, 'of-a', '--tenant', 'a', '--scope', 'infer:a-*');
    const claims = [
      'x-sconce-tenant',
      'x-sconce-principal',
      'x-sconce-reason',
      'x-forwarded-user',
      'x-forwarded-client-cert',
      'x-ssl-client-dn',
      'x-original-url',
      'x-rewrite-url',
    ];
    for (const name of claims) {
      for (const value of ['default', 'CN=admin', 'key:management', '/predictions/a-double'])
        expect([name, value, (await double(server, 'b-double', { ...bearer(token), [name]: value })).status]).toEqual([name, value, 404]);
      expect([name, (await call(`${server.management}/models`, { headers: { [name]: 'key:management' } })).status]).toEqual([name, 400]);
    }
    await servesOn();
  });

  it('XX4 in the trailer of a chunked body comes too late', async () => {
    const client = await RawClient.open({ port: Number(new URL(server.inference).port) });
    const [trailer] = Object.values(infer());

    client.send(
      `POST /predictions/a-double HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n2\r\n[]\r\n0\r\nAuthorization: ${trailer}\r\n\r\n`,
    );

    expect((await client.answer()).status).toBe(400);
    client.close();
    await servesOn();
  });
});

describe('what a model is called', () => {
  it.each(['ａ-double', 'a\u2010double', 'a-doub\u200ble', 'A-DOUBLE', 'a-double%00', 'a-double%20', 'a-double%2f..%2fb-double', '%61-double%0a'])(
    'XX5 %s is no other name of a-double',
    async (name) => {
      const { status } = await call(`${server.inference}/predictions/${encodeURI(decodeURI(name)).replaceAll('%25', '%')}`, {
        method: 'POST',
        body: '[1,2,3]',
        headers: infer(),
      });

      expect(status).toBe(404);
    },
  );

  it('LG2 makes no series of metrics where there is no such model, however many are asked for', async () => {
    for (let i = 0; i < 300; i++)
      await call(`${server.inference}/predictions/unknown-${i}/9.${i}`, { method: 'POST', headers: { ...infer(), 'user-agent': `agent-${i}` } });

    const { text } = await call(`${server.metrics}/metrics`);

    expect(text).toContain('# TYPE');
    expect(text).not.toMatch(/unknown-\d|agent-\d/);
  });
});

describe('tensors whose sizes lie', () => {
  const asked = (body: string | Uint8Array, headers: Readonly<Record<string, string>> = {}) =>
    call(`${server.inference}/v2/models/a-double/infer`, { method: 'POST', body, headers: { 'content-type': 'application/json', ...infer(), ...headers } });
  const json = (input: object) => JSON.stringify({ inputs: [{ name: 'x', datatype: 'FP32', shape: [1, 3], ...input }] });

  it.each([
    ['of which the shape has more elements than there are numbers', json({ shape: [2 ** 40, 2 ** 40], data: [1] })],
    ['of a negative length', json({ shape: [-1, -3], data: [1, 2, 3] })],
    ['of a shape without end', json({ shape: Array(100_000).fill(1), data: [1] })],
    ['nested a hundred thousand times', json({}).replace('}]}', `,"data":${'['.repeat(100_000)}1${']'.repeat(100_000)}}]}`)],
    ['of a type that is none', json({ datatype: '__proto__', data: [1, 2, 3] })],
  ])('IN4 XX6 %s are refused, and nothing is reserved for them', async (_, body) => {
    const { status } = await asked(body);

    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    await servesOn();
  });

  it.each([
    ['2⁵³ bytes', 2 ** 53],
    ['less than nothing', -12],
    ['half a byte', 0.5],
    ['a text', '12'],
  ])('XX7 in bytes, %s of which were announced, are refused', async (_, binary_data_size) => {
    const head = json({ parameters: { binary_data_size } });

    const { status } = await asked(Buffer.concat([Buffer.from(head), Buffer.alloc(12)]), { 'inference-header-content-length': String(head.length) });

    expect(status).toBe(400);
    await servesOn();
  });

  it('XX7 whose JSON ends behind the body, before it or nowhere are refused', async () => {
    for (const length of ['99999999999', '-1', '1e3', '0x10', '']) {
      const { status } = await asked(json({ data: [1, 2, 3] }), { 'inference-header-content-length': length });
      expect([length, status >= 400 && status < 500]).toEqual([length, true]);
    }
    await servesOn();
  });
});

it('XX8 a model that is taken away and registered again under load answers every request once, rightly or with a refusal', async () => {
  const headers = bearer(keysOf(server).management);
  let isOver = false;
  const statuses: number[] = [];
  const clients = Array.from({ length: 4 }, async () => {
    while (!isOver) statuses.push((await double(server, 'b-double', infer())).status);
  });

  for (let i = 0; i < 5; i++) {
    expect((await call(`${server.management}/models/b-double`, { method: 'DELETE', headers })).status).toBe(200);
    await call(`${server.management}/models?url=double.onnx&model_name=b-double&initial_workers=1&synchronous=true`, { method: 'POST', headers });
  }
  isOver = true;
  await Promise.all(clients);

  expect(statuses.length).toBeGreaterThan(0);
  expect(statuses.filter((status) => ![200, 404, 500, 503].includes(status))).toEqual([]);
  await servesOn();
});
