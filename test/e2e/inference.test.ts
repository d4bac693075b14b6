import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { type CallOptions, call, RunningServer } from './running-server.js';

const server = new RunningServer();
const JSON_BODY = { 'content-type': 'application/json' };

interface Echo {
  readonly data: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly request_id: string;
  readonly version: string;
}

async function echo(path: string, options: CallOptions = {}): Promise<Echo> {
  const answer = await call(`${server.inference}${path}`, { method: 'POST', ...options });
  expect(answer.status).toBe(200);
  return JSON.parse(answer.text);
}

function script(wish: Readonly<Record<string, unknown>>) {
  return server.predict('scripted', { body: JSON.stringify(wish), headers: JSON_BODY });
}

beforeAll(async () => {
  const one = 'minWorkers: 1\nmaxWorkers: 1\n';
  const models = [
    await archive(server.store, { name: 'echo', handler: 'echo.py', config: one }),
    await archive(server.store, { name: 'echo', version: '2.0', handler: 'echo.py', config: one }),
    await archive(server.store, { name: 'scripted', handler: 'scripted.py', config: one }),
  ];
  await server.start({ args: ['--models', ...models], config: server.sharing('scripted') });
});

afterAll(() => server.dispose());

describe('what a handler gets', () => {
  it.each([
    ['a JSON body decoded', { body: '{"a":[1,2]}', headers: JSON_BODY }, { body: { a: [1, 2] } }],
    ['JSON with a charset decoded', { body: '[1]', headers: { 'content-type': 'application/json; charset=utf-8' } }, { body: [1] }],
    ['broken JSON as bytes', { body: '{"a":', headers: JSON_BODY }, { body: { bytes: '7b2261223a' } }],
    ['text as a string', { body: 'grüß', headers: { 'content-type': 'text/plain' } }, { body: 'grüß' }],
    ['a body without a type as bytes', { body: Buffer.from([0, 255, 10]) }, { body: { bytes: '00ff0a' } }],
    ['an empty body as empty bytes', {}, { body: { bytes: '' } }],
    [
      'form fields one by one',
      { body: 'a=1&b=x+y%21', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      { a: { bytes: '31' }, b: { bytes: '7820792120'.slice(0, 8) } },
    ],
    ['nothing from JSON sent as a form', { body: '{"a":1}', headers: { 'content-type': 'application/x-www-form-urlencoded' } }, {}],
  ] as const)('%s', async (_, options, expected) => {
    expect((await echo('/predictions/echo', options)).data).toEqual(expected);
  });

  it('multipart files with all 256 byte values, and fields as bytes', async () => {
    const every = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    const body = Buffer.concat([
      Buffer.from('--B\r\nContent-Disposition: form-data; name="data"; filename="x.bin"\r\n\r\n'),
      every,
      Buffer.from('\r\n--B\r\nContent-Disposition: form-data; name="note"\r\nContent-Type: application/json\r\n\r\n{"a":1}\r\n--B--\r\n'),
    ]);

    const { data } = await echo('/predictions/echo', { body, headers: { 'content-type': 'multipart/form-data; boundary=B' } });

    expect(data).toEqual({ data: { bytes: every.toString('hex') }, note: { bytes: Buffer.from('{"a":1}').toString('hex') } });
  });

  it('header names as the client spelt them, explain and url_path, and the id of the answer', async () => {
    const answer = await server.predict('echo/1.0/a/b', { headers: { 'X-CamelCase': 'yes' } });
    const { headers, request_id } = JSON.parse(answer.text);

    expect(headers).toMatchObject({ 'X-CamelCase': 'yes', explain: 'False', url_path: 'a/b' });
    expect(answer.headers['x-request-id']).toBe(request_id);
    expect((await echo('/explanations/echo')).headers).toMatchObject({ explain: 'True', url_path: '' });
    expect((await echo('/predictions/echo', { method: 'GET' })).headers).toMatchObject({ 'content-length': '0' });
  });

  it('query values only where TorchServe gives them', async () => {
    expect((await echo('/predictions/echo?q=1')).data).toEqual({ body: { bytes: '' } });
    expect((await echo('/echo/predict?q=1')).data).toMatchObject({ q: { bytes: '31' } });
    expect((await echo('/invocations?model_name=echo&q=1')).data).toMatchObject({ q: { bytes: '31' } });
  });
});

describe('the ways to a model', () => {
  it.each([
    ['/predictions/echo', '1.0'],
    ['/predictions/echo/2.0', '2.0'],
    ['/echo/predict', '1.0'],
    ['/echo/2.0/predict', '2.0'],
    ['/models/echo/invoke', '1.0'],
    ['/v1/models/echo:predict', '1.0'],
    ['/v2/models/echo/infer', '1.0'],
    ['/explanations/echo/2.0', '2.0'],
    ['/predictions/echo/', '1.0'],
  ])('%s answers with version %s', async (path, version) => {
    expect((await echo(path)).version).toBe(version);
  });

  it.each(['GET', 'POST', 'PUT'])('%s predicts', async (method) => {
    expect((await echo('/predictions/echo', { method })).version).toBe('1.0');
  });

  it('/invocations without a name needs one when several models are there', async () => {
    const { status, json } = await call(`${server.inference}/invocations`, { method: 'POST' });

    expect([status, json()]).toEqual([400, { code: 400, type: 'BadRequestException', message: 'Parameter model_name is required.' }]);
  });

  it.each([
    ['/predictions/nope', 404, 'ModelNotFoundException', 'Model not found: nope'],
    ['/predictions/echo/9.9', 404, 'ModelVersionNotFoundException', 'Model version: 9.9 does not exist for model: echo'],
    ['/nothing/here/at/all', 404, 'ResourceNotFoundException', 'Requested resource is not found, please refer to API document.'],
  ])('%s is told %i', async (path, code, type, message) => {
    const { status, json, headers } = await call(`${server.inference}${path}`, { method: 'POST' });

    expect([status, json()]).toEqual([code, { code, type, message }]);
    expect(headers.connection).toBe('close');
  });
});

describe('an answer', () => {
  it("has TorchServe's headers, in its spelling, and says where the time went", async () => {
    const { rawHeaders, headers, statusText } = await server.predict('echo');

    const names = rawHeaders.filter((_, index) => index % 2 === 0);
    expect(names).toEqual(expect.arrayContaining(['x-request-id', 'Pragma', 'Cache-Control', 'Expires', 'content-length', 'connection']));
    expect(names).not.toContain('Date');
    expect(headers['cache-control']).toBe('no-cache; no-store, must-revalidate, private');
    expect(headers['content-type']).toBeUndefined();
    expect(statusText).toBe('');
    expect(headers['server-timing']).toMatch(/^queue;dur=[\d.]+, batch;dur=[\d.]+, handler;dur=[\d.]+, total;dur=[\d.]+$/);
  });

  it('has the status, phrase, headers and type that the handler set', async () => {
    const { status, statusText, headers, text } = await script({ do: 'status', code: 418, phrase: 'tea' });

    expect([status, statusText, headers['x-from-handler'], headers['content-type']]).toEqual([418, 'tea', 'yes', 'text/plain']);
    expect(text).toContain('done status');
  });

  it.each([
    [{ do: 'raise' }, 503, 'Prediction failed', 'handler_fault'],
    [{ do: 'prediction-error', message: 'not this', code: 599 }, 599, 'not this', 'handler_fault'],
    [{ do: 'prediction-error', message: 'too much', code: 413 }, 507, 'too much', 'handler_fault'],
    [{ do: 'memory-error' }, 507, 'Out of resources', 'out_of_memory'],
    [{ do: 'short' }, 503, 'number of batch response mismatched', 'handler_fault'],
    [{ do: 'tuple' }, 503, 'Invalid model predict output', 'handler_fault'],
    [{ do: 'set' }, 503, 'Unsupported model output data type.', 'handler_fault'],
  ])('to %j is %i %s', async (wish, code, message, reason) => {
    const { status, json, headers } = await script(wish);

    expect([status, json(), headers['x-sconce-reason']]).toEqual([code, { code, type: 'InternalServerException', message }, reason]);
  });

  it('to a failing handler keeps its traceback, which is logged with the id that the client got', async () => {
    const model = join(server.store, 'failing');
    mkdirSync(join(model, 'MAR-INF'), { recursive: true });
    writeFileSync(
      join(model, 'my_handler.py'),
      'def handle(data, context):\n    return data and inner(data)\n\ndef inner(data):\n    raise ValueError("secret")\n',
    );
    const manifest = { runtime: 'python', model: { modelName: 'failing', modelVersion: '1.0', handler: 'my_handler.py' } };
    writeFileSync(join(model, 'MAR-INF', 'MANIFEST.json'), JSON.stringify(manifest));
    expect((await server.manage('POST', '/models?url=failing&initial_workers=1')).status).toBe(200);

    const answer = await server.predict('failing', { body: 'x' });
    const id = String(answer.headers['x-request-id']);
    await server.logHas('model_log.log', `request_id=${id}`);

    expect(answer.json()).toEqual({ code: 503, type: 'InternalServerException', message: 'Prediction failed' });
    const lines = server
      .log('model_log.log')
      .split('\n')
      .map((line) => line.replace(/^.* MODEL_LOG - /, ''));
    const at = lines.lastIndexOf('Invoking custom service failed.', lines.indexOf(`request_id=${id}`));
    expect(lines.slice(at + 1, at + 3)).toEqual(['Traceback (most recent call last):', `  File "${model}/my_handler.py", line 2, in handle`]);
    expect(lines.slice(at).filter((line) => line.includes('File "'))).toHaveLength(2);
    expect(lines.indexOf('ValueError: secret')).toBe(lines.indexOf(`request_id=${id}`) - 1);
  });

  it('streams intermediate parts as chunks and ends with the returned value', async () => {
    const { status, headers, text } = await script({ do: 'stream', parts: 3 });

    expect([status, headers['transfer-encoding'], headers.ts_stream_next]).toEqual([200, 'chunked', 'true']);
    expect(text).toBe('part 0 part 1 part 2 end');
  });

  it('is cut off, not ended, when its worker dies in the middle of the stream', async () => {
    await expect(script({ do: 'stream', parts: 2, die: true })).rejects.toThrow();
    expect((await script({ do: 'nothing' })).status).toBe(200);
  });

  it('is told to the handler to have no reader any more, which may stop its stream then', async () => {
    const gone = join(server.shared, 'gone');
    const wish = JSON.stringify({ do: 'stream-until-gone', gone });

    await new Promise<void>((resolve, reject) => {
      const client = httpRequest(`${server.inference}/predictions/scripted`, { method: 'POST', headers: JSON_BODY }, (answer) => {
        answer.once('data', () => {
          client.destroy();
          resolve();
        });
      });
      client.on('error', reject);
      client.end(wish);
    });

    await server.eventually(async () => existsSync(gone), 'the handler has stopped');
    expect((await script({ do: 'nothing' })).status).toBe(200);
  });

  it('to a body over the limit is 413 without a body', async () => {
    const { status, body, headers } = await server.predict('echo', { body: Buffer.alloc(6_553_501), headers: { 'content-type': 'application/octet-stream' } });

    expect([status, body.length, headers['x-request-id']]).toEqual([413, 0, undefined]);
  });

  it('comes to a body of exactly the limit', async () => {
    expect((await server.predict('scripted', { body: Buffer.alloc(6_553_500, ' '), headers: { 'content-type': 'text/plain' } })).status).toBe(503);
    expect((await echo('/predictions/echo', { body: 'x' })).data).toEqual({ body: { bytes: '78' } });
  });
});

describe('health', () => {
  it('/ping is TorchServe’s, /ready and /live are there beside it', async () => {
    expect((await call(`${server.inference}/ping`)).text).toBe('{\n  "status": "Healthy"\n}\n');
    expect((await call(`${server.inference}/ready`)).status).toBe(200);
    expect((await call(`${server.inference}/live`)).status).toBe(200);
  });
});
