import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { aServableModel, buildThreads, DrivenRunner, ONNX_FIXTURES } from '../../../test/fixtures/driven-runner.js';
import { LoadFailed } from '../../errors/backend.js';
import { JavascriptBackend } from './javascript-backend.js';

const backend = new JavascriptBackend({ environment: { GREETING: 'hello' }, maxHeapMb: 64 });
const folder = mkdtempSync(join(tmpdir(), 'sconce-handlers-'));
let running: DrivenRunner[] = [];
let written = 0;

beforeAll(() => {
  buildThreads();
  copyFileSync(join(ONNX_FIXTURES, 'double.onnx'), join(folder, 'double.onnx'));
});

afterEach(async () => {
  for (const { runner } of running) runner.kill();
  running = [];
  await backend.stop();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A handler file of its own for each test. */
function aHandler(source: string, extension = 'mjs', raw: Readonly<Record<string, unknown>> = {}, exported = ''): DrivenRunner {
  written += 1;
  const file = `handler${written}.${extension}`;
  writeFileSync(join(folder, file), source);
  const driven = new DrivenRunner(backend, aServableModel({ name: 'm', backend: 'javascript', directory: folder, handler: `${file}${exported}`, raw }));
  running.push(driven);
  return driven;
}

async function loaded(...given: Parameters<typeof aHandler>): Promise<DrivenRunner> {
  const driven = aHandler(...given);
  await driven.runner.load();
  return driven;
}

async function told(driven: DrivenRunner, ...bodies: Parameters<DrivenRunner['batch']>[0]): Promise<readonly string[]> {
  return (await driven.batch(bodies)).map(({ status, text }) => `${status} ${text}`);
}

describe('a handler', () => {
  it('may be functions, an object, a class or one function', async () => {
    const forms = [
      'let factor; export function initialize() { factor = 2; } export const handle = (all) => all.map((one) => one.json() * factor);',
      'export default { factor: 2, async handle(all) { return all.map((one) => one.json() * this.factor); } };',
      'export default class { initialize() { this.factor = 2; } handle(all) { return all.map((one) => one.json() * this.factor); } }',
      'export default (all) => all.map((one) => one.json() * 2);',
    ];
    for (const form of forms) expect(await told(await loaded(form), '3', '4')).toEqual(['200 6', '200 8']);
  });

  it('may be named by its export, and written in CommonJS', async () => {
    expect(await told(await loaded('export const other = { handle: (all) => all.map(() => "x") };', 'mjs', {}, ':other'), '1')).toEqual(['200 x']);
    expect(await told(await loaded('module.exports = { handle: (all) => all.map(() => "y") };', 'cjs'), '1')).toEqual(['200 y']);
  });

  it('may be three steps, each given what the one before returned', async () => {
    const driven = await loaded(`
      export const preprocess = (all) => all.map((one) => one.json());
      export const inference = async (numbers) => numbers.map((n) => n + 1);
      export const postprocess = (numbers) => numbers.map((n) => ({ answer: n }));
    `);

    expect(await told(driven, '1', '2')).toEqual(['200 {"answer":2}', '200 {"answer":3}']);
  });

  it('sees its request and its model', async () => {
    const driven = await loaded(
      `export const handle = (all, context) => all.map((one) => ({
        id: one.id, purpose: one.purpose, header: one.headers['x-test'], names: one.inputs.map((input) => input.name + ':' + input.contentType),
        text: one.input('note').text(), size: one.bytes.length, model: context.modelName, version: context.modelVersion, directory: context.modelDirectory,
        threshold: context.config.threshold, batchSize: context.batchSize, worker: context.workerName, env: process.env }));`,
      'mjs',
      { threshold: 0.5 },
    );
    const inputs = [
      { name: 'note', contentType: '', value: Buffer.from('hi') },
      { name: 'data', contentType: 'image/png', value: Buffer.from('12345') },
    ];

    const { text } = await driven.ask({ body: inputs, headers: [['X-Test', 'yes']], purpose: 'explain' });

    expect(JSON.parse(text)).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      purpose: 'explain',
      header: 'yes',
      names: ['note:', 'data:image/png'],
      text: 'hi',
      size: 5,
      model: 'm',
      version: '1.0',
      directory: folder,
      threshold: 0.5,
      batchSize: 8,
      worker: 'W-9000-m_1.0',
      env: { GREETING: 'hello' },
    });
  });

  it('runs ONNX files of its directory', async () => {
    const driven = await loaded(`
      let session;
      export async function initialize(context) { session = await context.loadOnnx('double.onnx'); }
      export async function handle(all) {
        const rows = all.map((one) => one.json());
        const { y } = await session.run({ x: { type: 'float32', data: Float32Array.from(rows.flat()), dims: [rows.length, 3] } });
        return rows.map((_, row) => Array.from(y.data.slice(row * 3, row * 3 + 3)));
      }
    `);

    expect(await told(driven, '[1,2,3]', '[4,5,6]')).toEqual(['200 [2,4,6]', '200 [8,10,12]']);
  });

  it('logs through the console, line by line', async () => {
    const driven = await loaded('console.log("loading"); export const handle = (all) => { console.error("one\\ntwo"); return all.map(() => ""); };');

    await driven.ask('1');
    await driven.runner.stop(1000);

    expect(driven.lines).toEqual(['loading', 'one', 'two']);
    expect(driven.exits[0]?.lastLines).toEqual(driven.lines);
  });

  it('is closed when it is stopped', async () => {
    const driven = await loaded('export const handle = (all) => all; export async function close() { console.log("closed"); }');

    await driven.runner.stop(1000);

    expect(driven.lines).toEqual(['closed']);
  });
});

describe('what goes wrong in a handler', () => {
  it('broken JSON fails alone and never reaches it', async () => {
    const driven = await loaded('export const handle = (all) => all.map((one) => all.length);');

    const [first, second, third] = await told(driven, '1', '{', '2');

    expect([first, third]).toEqual(['200 2', '200 2']);
    expect(second).toMatch(/^400 The JSON of "body" cannot be read: /);
  });

  it('an exception fails the batch without telling why, and the log tells', async () => {
    const driven = await loaded('export const handle = () => { throw new Error("secret"); };');

    expect(await told(driven, '1', '2')).toEqual(['503 Prediction failed', '503 Prediction failed']);
    await driven.runner.stop(1000);
    expect(driven.lines.join('\n')).toContain('Error: secret');
  });

  it('an error made for the client reaches it, for the batch when thrown, for one request when returned', async () => {
    const thrown = await loaded('export const handle = (all, context) => { throw context.error(422, "too blue"); };');
    const returned = await loaded('export const handle = (all, context) => [context.error(404, "who?"), "fine"];');

    expect(await told(thrown, '1', '2')).toEqual(['422 too blue', '422 too blue']);
    expect(await told(returned, '1', '2')).toEqual(['404 who?', '200 fine']);
  });

  it('an endless loop ends with kill', async () => {
    const driven = await loaded('export const handle = () => { for (;;); };');

    void driven.batch(['1']);
    driven.runner.kill();

    expect(await driven.exited).toMatchObject({ expected: true });
  });

  it('a heap that fills up from request to request ends the thread, and the exit tells that it was memory', async () => {
    const driven = await loaded(
      'const kept = []; export const handle = (all) => { kept.push(Array.from({ length: 20_000 }, Math.random)); return all.map(() => ""); };',
    );

    while (driven.exits.length === 0) await Promise.race([driven.ask('1'), driven.exited]);

    expect(driven.exits[0]).toMatchObject({ expected: false, code: 137 });
    expect(driven.exits[0]?.lastLines.at(-1)).toBe("The thread's JavaScript heap reached its limit of 64 MiB.");
  });

  it('an exception outside any request ends the thread with its stack in the last lines', async () => {
    const driven = await loaded('export const handle = () => { setTimeout(() => { throw new Error("later"); }); return new Promise(() => {}); };');

    void driven.batch(['1']);
    const exit = await driven.exited;

    expect(exit).toMatchObject({ expected: false, code: 1 });
    expect(exit.lastLines.join('\n')).toContain('Error: later');
  });

  it('a handler that ends its process ends its thread only', async () => {
    const driven = await loaded('export const handle = () => process.exit(3);');

    void driven.batch(['1']);

    expect(await driven.exited).toMatchObject({ expected: false, code: 3 });
  });

  it('what it posts by itself is no answer', async () => {
    const driven = await loaded(`
      import { parentPort } from 'node:worker_threads';
      export const handle = (all) => { parentPort.postMessage('hi'); parentPort.postMessage({ kind: 'done', id: 1 }); return all.map(() => 'mine'); };
    `);

    expect(await told(driven, '1')).toEqual(['200 mine']);
  });
});

describe('loading', () => {
  it.each([
    ['an exception', 'throw new Error("no weights");', 'no weights'],
    [
      'a failing initialize',
      'export const handle = () => []; export async function initialize() { throw new Error("no disk"); }',
      'initialize failed: no disk',
    ],
    ['a syntax error', 'export const = 1;', 'Unexpected token'],
    ['a missing import', 'import "not-a-package";', "Cannot find package 'not-a-package'"],
    ['no handler', 'export const other = 1;', 'exports no handler'],
    ['an end of its process', 'process.exit(4);', 'exit code 4'],
    [
      'a model outside its directory',
      'export const handle = () => []; export const initialize = (context) => context.loadOnnx("../x.onnx");',
      '../x.onnx is not in',
    ],
  ])('%s is told', async (_, source, message) => {
    const driven = aHandler(source);

    const failure = await driven.runner.load().catch((error: unknown) => error);

    expect(LoadFailed.is(failure) && failure.message).toContain(message);
    expect((await driven.exited).expected).toBe(false);
  });

  it('a missing export is told', async () => {
    await expect(aHandler('export const handle = 1;', 'mjs', {}, ':nothing').runner.load()).rejects.toThrow('has no export named nothing');
  });

  it.each(['../x.mjs', 'absent.mjs'])('%s is not loaded', async (handler) => {
    const driven = new DrivenRunner(backend, aServableModel({ directory: folder, handler }));

    await expect(driven.runner.load()).rejects.toThrow(`The handler ${handler} is not in the model's directory.`);
  });

  it('a TypeScript handler runs on every Node, with what it imports', async () => {
    writeFileSync(join(folder, 'half.ts'), 'export const half = (n: number): number => n / 2;');
    const driven = await loaded(
      'import { half } from "./half.ts"; export const handle = (all: readonly { json(): unknown }[]): number[] => all.map((one) => half(one.json() as number));',
      'ts',
    );

    expect(await told(driven, '8')).toEqual(['200 4']);
  });

  it.each(['mjs', 'ts'])('a syntax error in a .%s handler is told with its file, line and caret', async (extension) => {
    const driven = aHandler('export const handle = () => [];\nexport const broken = ;\n', extension);

    await driven.runner.load().catch(() => undefined);
    await driven.exited;

    const text = driven.lines.join('\n');
    expect(text).toMatch(new RegExp(`handler\\d+\\.${extension}:2`));
    expect(text).toMatch(/export const broken = ;\n +\^/);
    expect(text).toContain('SyntaxError');
  });
});

describe('where the client is the author', () => {
  const author = new JavascriptBackend({ environment: {}, maxHeapMb: 64, devTracebacks: true });

  function served(source: string): DrivenRunner {
    written += 1;
    const file = `handler${written}.mjs`;
    writeFileSync(join(folder, file), source);
    const driven = new DrivenRunner(author, aServableModel({ name: 'm', backend: 'javascript', directory: folder, handler: file }));
    running.push(driven);
    return driven;
  }

  it('an exception is answered with its stack, and logged with the request', async () => {
    const driven = served('export const handle = (all) => all.map((one) => one.json().a.b);');
    await driven.runner.load();

    const [answer] = await driven.batch(['{}']);

    expect(answer?.text).toMatch(/^Prediction failed\nTypeError: [^\n]*\n +at [^\n]*handler\d+\.mjs:1/);
    expect(answer?.text).not.toContain('dist/backends');
    await driven.runner.stop(1000);
    expect(driven.lines.at(-1)).toMatch(/^request_id=[0-9a-f-]{36}$/);
  });

  it('what keeps a model from loading is told with its stack', async () => {
    const failure = await served('export const handle = () => []; export function initialize() { throw new Error("no weights"); }')
      .runner.load()
      .catch((error: unknown) => error);

    expect(LoadFailed.is(failure) && failure.message).toMatch(/^initialize failed: no weights\nError: no weights\n +at .*initialize/);
  });
});
