import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { call, RunningServer } from '../e2e/running-server.js';
import { archive } from '../fixtures/archives.js';

const server = new RunningServer();
const AS_JSON = { 'content-type': 'application/json' };
/** Tries both branches at each level: 2⁶⁰ steps for sixty brackets. */
const DOUBLING = '{$defs: {a: {anyOf: [{type: array, items: {$ref: "#/$defs/a"}}, {type: array, items: {$ref: "#/$defs/a"}}]}}, $ref: "#/$defs/a"}';

async function model(name: string, schema: string): Promise<void> {
  const file = await archive(server.store, { name, handler: 'echo.py', config: `minWorkers: 1\nmaxWorkers: 1\nsconce: {inputs: {schema: ${schema}}}\n` });
  expect((await server.manage('POST', `/models?url=${file}&initial_workers=1`)).status).toBe(200);
}

beforeAll(async () => {
  await server.start();
  await model('doubling', DOUBLING);
  await model('good', '{type: object}');
});

afterAll(() => server.dispose());

describe('a model whose schema is made to hold up the server', () => {
  it('IN10 is answered that it took too long, and other models are served meanwhile', async () => {
    let isAnswered = false;
    const hostile = server.predict('doubling', { body: `${'['.repeat(60)}1${']'.repeat(60)}`, headers: AS_JSON }).finally(() => {
      isAnswered = true;
    });

    for (let i = 0; i < 20; i++) expect((await server.predict('good', { body: '{}', headers: AS_JSON })).status).toBe(200);
    expect((await call(`${server.inference}/ping`)).status).toBe(200);
    expect(isAnswered).toBe(false);

    const { status, json } = await hostile;
    expect([status, json()]).toMatchObject([422, { message: expect.stringContaining('took longer than 10 s to be inspected') }]);
    expect((await server.predict('good', { body: `{"a": "${'x'.repeat(100_000)}"}`, headers: AS_JSON })).status).toBe(200);
  });

  it.each([
    ['leads out of its document', '{$ref: "http://127.0.0.1:1/schema.json"}', 'leads out of the document'],
    [
      'has a chain of references',
      `{$defs: {${Array.from({ length: 200 }, (_, n) => `d${n}: {$ref: "#/$defs/d${n + 1}"}`).join()}}}`,
      'references to more than 100 places',
    ],
  ])('IN10 that %s is refused when it is registered', async (_, schema, why) => {
    const file = await archive(server.store, { name: 'bad', handler: 'echo.py', config: `sconce: {inputs: {schema: ${schema}}}\n` });

    const { status, text } = await server.manage('POST', `/models?url=${file}`);

    expect([status, text]).toEqual([400, expect.stringContaining(why)]);
    expect((await server.manage('GET', '/models/bad')).status).toBe(404);
  });
});

describe('a body that is made to harm its reader', () => {
  it.each([
    ['IN2 is nested a hundred thousand times', '['.repeat(100_000), 413],
    ['IN2 has ten thousand keys and one', `{${Array.from({ length: 10_001 }, (_, n) => `"k${n}":1`).join()}}`, 413],
    ['IN2 has a number of a million digits', `{"a":${'9'.repeat(1_000_000)}}`, 413],
    ['IN2 begins with a byte order mark', '\ufeff{}', 400],
    ['IN2 goes on after its end', '{} {}', 400],
    ['IN2 has NaN where JSON has none', '{"a": NaN}', 422],
    ['IN3 XX1 says a key twice, so that who checks and who uses see different values', '{"a": 1, "\\u0061": 2}', 400],
    ['IN6 has overlong UTF-8', Buffer.from('7b2261223a22c0af227d', 'hex'), 415],
    ['IN7 is HTML that calls itself JSON', '<html><script>1</script></html>', 400],
  ])('%s is refused, and the server serves on', async (_, body, expected) => {
    const { status, headers } = await server.predict('good', { body, headers: AS_JSON });

    expect([status, headers['x-content-type-options']]).toEqual([expected, 'nosniff']);
    expect((await server.predict('good', { body: '{"a": 1}', headers: AS_JSON })).status).toBe(200);
  });

  it('IN3 has __proto__ and constructor as keys: they are plain data for the handler, and nobody’s prototype changes', async () => {
    const body = '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "hasOwnProperty": 1}';

    const { status, text } = await server.predict('good', { body, headers: AS_JSON });

    expect([status, text]).toEqual([200, expect.stringContaining('"__proto__"')]);
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty', 'toString']) {
      expect((await server.predict(name, { body: '{}', headers: AS_JSON })).status).toBe(404);
      expect((await server.manage('GET', `/models/${name}`)).status).toBe(404);
    }
    expect((await server.predict('good?__proto__=1&constructor=2', { body: '{}', headers: AS_JSON })).status).toBe(200);
  });
});

describe('a description that is made to harm its reader', () => {
  const bomb = Array.from(
    { length: 9 },
    (_, level) =>
      `a${level}: &a${level} [${Array(9)
        .fill(level === 0 ? 'x' : `*a${level - 1}`)
        .join()}]`,
  ).join('\n');

  it.each([
    ['YM1 multiplies by its aliases', bomb],
    ['YM1 is nested without end, which once ended the process', '['.repeat(1_000_000)],
    ['YM2 CVE-2022-1471 names classes of Java', 'a: !!javax.script.ScriptEngineManager [!!java.net.URLClassLoader [[!!java.net.URL ["http://127.0.0.1:1/"]]]]'],
    ['YM2 names a function of Python', 'a: !!python/object/apply:os.system ["touch canary"]'],
  ])('%s refuses its model, which leaves nothing', async (_, config) => {
    const file = await archive(server.store, { name: 'bad', handler: 'echo.py', config });

    const { status, text } = await server.manage('POST', `/models?url=${file}&initial_workers=1`);

    expect([status, text]).toEqual([400, expect.stringContaining('model-config.yaml is refused')]);
    expect((await server.manage('GET', '/models/bad')).status).toBe(404);
    expect((await server.predict('good', { body: '{}', headers: AS_JSON })).status).toBe(200);
  });

  it('YM4 TN7 asks for a billion workers, and so does a caller: neither gets a process, and the server stays', async () => {
    const file = await archive(server.store, { name: 'many', handler: 'echo.py', config: 'minWorkers: 1000000000\nmaxWorkers: 1000000000\n' });

    const answers = [
      await server.manage('POST', `/models?url=${file}`),
      await server.manage('POST', `/models?url=${await archive(server.store, { name: 'more', handler: 'echo.py' })}&initial_workers=2147483647`),
      await server.manage('PUT', '/models/good?min_worker=2147483647'),
    ];

    for (const { status, text } of answers)
      expect([status, text]).toEqual([400, expect.stringContaining('More than 1000 workers of one model are not allowed')]);
    for (const name of ['many', 'more']) expect((await server.manage('GET', `/models/${name}`)).status).toBe(404);
    expect((await server.predict('good', { body: '{}', headers: AS_JSON })).status).toBe(200);
  });

  it('XX2 registers one name twice at once: one is served, and the other is told so', async () => {
    const file = await archive(server.store, { name: 'twin', handler: 'echo.py' });

    const answers = await Promise.all([1, 2, 3, 4].map(() => server.manage('POST', `/models?url=${file}&initial_workers=1`)));

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
    expect((await server.predict('twin', { body: 'x' })).status).toBe(200);
  });
});
