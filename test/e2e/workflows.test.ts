import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { PYTHON, ROOT } from '../fixtures/python-workers.js';
import { workflowArchive } from '../fixtures/workflows.js';
import { call, type HttpResult, RunningServer } from './running-server.js';

const HANDLERS = join(ROOT, 'test', 'fixtures', 'handlers');
const FUNCTIONS = readFileSync(join(HANDLERS, 'workflow_functions.py'), 'utf8');
const server = new RunningServer();
const workflows = join(server.folder, 'workflows');

beforeAll(async () => {
  mkdirSync(workflows);
  await archive(server.store, { name: 'step', handler: 'workflow_step.py' });
  copyFileSync(join(ROOT, 'test', 'fixtures', 'onnx', 'double.onnx'), join(server.store, 'double.onnx'));
  await server.start({
    config: { workflow_store: workflows, enable_model_api: 'false', metrics_mode: 'prometheus' },
    env: { TMPDIR: server.folder, TEMP: server.folder },
  });
});

afterAll(() => server.dispose());

/** Packs a workflow with our archiver, as a user does. */
function pack(name: string, spec: string): void {
  const file = join(server.folder, `${name}.yaml`);
  writeFileSync(file, spec);
  const handler = join(server.folder, 'functions.py');
  writeFileSync(handler, FUNCTIONS);
  const wish = ['--workflow-name', name, '--spec-file', file, '--handler', handler, '--export-path', workflows, '--force'];
  execFileSync(join(ROOT, 'bin', 'torch-workflow-archiver'), wish, { env: { ...process.env, PYTHON } });
}

async function register(name: string, spec: string): Promise<void> {
  pack(name, spec);
  const answer = await server.manage('POST', `/workflows?url=${name}.war`);
  expect([answer.status, answer.json()]).toEqual([200, { status: `Workflow ${name} has been registered and scaled successfully.` }]);
}

function run(name: string, wish: Readonly<Record<string, unknown>> = {}, headers: Readonly<Record<string, string>> = {}): Promise<HttpResult> {
  return call(`${server.inference}/wfpredict/${name}`, {
    method: 'POST',
    body: JSON.stringify(wish),
    headers: { 'content-type': 'application/octet-stream', ...headers },
  });
}

async function models(): Promise<readonly string[]> {
  const { models: listed } = (await server.manage('GET', '/models')).json() as { models: { modelName: string }[] };
  return listed.map(({ modelName }) => modelName);
}

async function workerPids(model: string): Promise<readonly number[]> {
  const [described] = (await server.manage('GET', `/models/${model}`)).json() as { workers: { pid: number }[] }[];
  return described?.workers.map(({ pid }) => pid) ?? [];
}

/** Working copies of registered models and functions. */
function workingCopies(): readonly string[] {
  const runs = readdirSync(server.folder).filter((name) => name.startsWith('sconce-') && existsSync(join(server.folder, name, 'models')));
  return runs.flatMap((name) => readdirSync(join(server.folder, name, 'models')));
}

function anError(code: number, type: string, message: string | RegExp): object {
  return { code, type, message: typeof message === 'string' ? message : expect.stringMatching(message) };
}

describe('a workflow of steps one after another', () => {
  it('goes from function to model to model to function, and each is a model of its own while it is registered', async () => {
    await register('line', 'models:\n  max-workers: 1\n  a: {url: step.mar, max-workers: 2}\n  b: {url: step.mar}\ndag:\n  pre: [a]\n  a: [b]\n  b: [post]\n');

    const answer = await run('line');

    expect([answer.status, answer.headers['content-type'], answer.json()]).toEqual([
      200,
      'application/json',
      { body: ['bytearray', ['pre', 'a of 1', 'b of 1']] },
    ]);
    expect(await models()).toEqual(['line__a', 'line__b']);
    expect((await server.manage('GET', '/workflows/line')).json()).toEqual([
      {
        workflowName: 'line',
        workflowUrl: 'line.war',
        minWorkers: 1,
        maxWorkers: 1,
        batchSize: 1,
        maxBatchDelay: 50,
        workflowDag: '{pre=[a], a=[b], b=[post]}',
      },
    ]);
    const [described] = (await server.manage('GET', '/models/line__a')).json() as { modelUrl: string; workers: unknown[] }[];
    expect([described?.modelUrl, described?.workers.length]).toEqual(['step.mar', 2]);
    expect((await server.manage('GET', '/models/line__pre')).text).not.toContain('modelUrl');
  });

  it('unregistered leaves no model, no process and no file', async () => {
    const pids = (await Promise.all(['pre', 'a', 'b', 'post'].map((node) => workerPids(`line__${node}`)))).flat();
    expect(pids).toHaveLength(5);

    const answer = await server.manage('DELETE', '/workflows/line');

    expect([answer.status, answer.json()]).toEqual([200, { status: 'Workflow "line" unregistered' }]);
    expect((await server.manage('GET', '/models/line__pre')).status).toBe(404);
    expect((await run('line')).json()).toEqual(anError(404, 'WorkflowNotFoundException', 'Workflow not found: line'));
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([]);
    expect(workingCopies()).toEqual([]);
  });
});

describe('a workflow of steps side by side', () => {
  it('joins what several steps answered under their names', async () => {
    await register('join', 'models:\n  a: {url: step.mar}\n  b: {url: step.mar}\ndag:\n  pre: [a, b]\n  a: [post]\n  b: [post]\n');

    expect((await run('join')).json()).toEqual({ a: ['bytearray', ['pre', 'a of 1']], b: ['bytearray', ['pre', 'b of 1']] });
  });

  it('that ends in several answers with the object of each', async () => {
    await register('fork', 'models:\n  a: {url: step.mar}\n  b: {url: step.mar}\ndag:\n  pre: [a, b]\n');

    expect((await run('fork', { n: 1.5 })).json()).toEqual({ a: { n: 1.5, trail: ['pre', 'a of 1'] }, b: { n: 1.5, trail: ['pre', 'b of 1'] } });
  });
});

describe('a step', () => {
  it('gets requests of several clients in one batch', async () => {
    await register('batch', 'models:\n  a: {url: step.mar, batch-size: 4, max-batch-delay: 20000}\ndag:\n  a: []\n');

    const answers = await Promise.all(Array.from({ length: 4 }, () => run('batch')));

    expect(answers.map((answer) => answer.json())).toEqual(Array(4).fill({ trail: ['a of 4'] }));
  });

  it('may be an ONNX model', async () => {
    await register('onnx', 'models:\n  a: {url: double.onnx}\ndag:\n  a: []\n');

    const answer = await call(`${server.inference}/wfpredict/onnx`, { method: 'POST', body: '[1, 2, 3]', headers: { 'content-type': 'application/json' } });

    expect([answer.status, answer.json()]).toEqual([200, [2, 4, 6]]);
  });

  it('that fails answers the client with its name and why', async () => {
    await register('fail', 'models:\n  retry-attempts: 2\n  timeout-ms: 20000\n  a: {url: step.mar}\n  b: {url: step.mar}\ndag:\n  pre: [a]\n  a: [b]\n');

    const answer = await run('fail', { b: 'raise' });

    expect([answer.status, answer.headers['x-sconce-reason']]).toEqual([500, 'node_failed']);
    expect(answer.json()).toEqual(anError(500, 'InternalServerException', 'Error executing b: Prediction failed (tried 3 times)'));
  });

  it('that fails twice is asked a third time', async () => {
    expect((await run('fail', { a: 'fail twice' })).json()).toMatchObject({ trail: ['pre', 'a of 1', 'b of 1'] });
  });

  it('whose worker dies is answered with its name and why, and the next client is served', async () => {
    await register('mortal', 'models:\n  retry-attempts: 0\n  timeout-ms: 20000\n  a: {url: step.mar}\n  b: {url: step.mar}\ndag:\n  a: [b]\n');

    const answer = await run('mortal', { b: 'exit' });

    expect(answer.json()).toEqual(anError(500, 'InternalServerException', 'Error executing b: Worker died.'));
    expect((await run('mortal')).json()).toEqual({ trail: ['a of 1', 'b of 1'] });
  });

  it('that takes longer than its time-out is given up', async () => {
    await register('slow', 'models:\n  retry-attempts: 0\n  a: {url: step.mar, timeout-ms: 100}\ndag:\n  a: []\n');

    const answer = await run('slow', { a: 'sleep' });

    expect(answer.json()).toEqual(anError(500, 'InternalServerException', 'Error executing a: no answer within 100 ms'));
  });
});

describe('the client of a workflow', () => {
  it('with a deadline is answered when it passes', async () => {
    const answer = await run('fail', { a: 'sleep' }, { 'x-sconce-timeout-ms': '150' });

    expect([answer.status, answer.headers['x-sconce-reason']]).toEqual([504, 'deadline']);
    expect(answer.text).toContain('workflow \\"fail\\" was not answered within its deadline (150 ms)');
  });

  it('that hangs up spares the steps to come', async () => {
    await register('hung', 'models:\n  a: {url: step.mar}\n  b: {url: step.mar}\ndag:\n  a: [b]\n');
    const client = httpRequest(`${server.inference}/wfpredict/hung`, { method: 'POST' });
    client.on('error', () => undefined);
    client.end(JSON.stringify({ a: 'sleep' }));
    await server.eventually(async () => {
      const [{ jobQueueStatus }] = (await server.manage('GET', '/models/hung__a')).json() as [{ jobQueueStatus: { pendingRequests: number } }];
      return jobQueueStatus.pendingRequests === 0 && client.writableFinished;
    }, 'the first step has the request');
    client.destroy();

    await server.eventually(
      async () => /sconce_outcomes_total\{model_name="hung",reason="cancelled"/.test((await call(`${server.metrics}/metrics`)).text),
      'the run is given up',
    );
    // The first step's worker takes this one when it is done with the one before.
    expect((await run('hung')).json()).toEqual({ trail: ['a of 1', 'b of 1'] });
    await server.logHas('model_log.log', 'step hung__b');
    expect(server.log('model_log.log').match(/step hung__a/g)).toHaveLength(2);
    expect(server.log('model_log.log').match(/step hung__b/g)).toHaveLength(1);
  });
});

describe('a workflow that cannot be', () => {
  it.each([
    ['circle', 'models: {a: {url: step.mar}, b: {url: step.mar}}\ndag: {pre: [a], a: [b], b: [a]}\n', 'InvalidDAGException', /^Not a valid DAG/],
    ['itself', 'models: {a: {url: step.mar}}\ndag: {a: [a]}\n', 'InvalidDAGException', /^Self loop exception/],
    ['starts', 'models: {a: {url: step.mar}}\ndag: {pre: [a], post: [a]}\n', 'InvalidDAGException', /^DAG should have only one start node/],
    ['path', 'models: {../a: {url: step.mar}}\ndag: {../a: []}\n', 'InvalidWorkflowException', /"..\/a" is no name for a node/],
    ['noyaml', 'models: [\n', 'InvalidWorkflowException', /^Failed to parse yaml/],
  ])('is refused before anything runs: %s', async (name, spec, type, message) => {
    pack(name, spec);
    const before = await models();

    const answer = await server.manage('POST', `/workflows?url=${name}.war`);

    expect([answer.status, answer.json()]).toEqual([400, anError(400, type, message)]);
    expect(await models()).toEqual(before);
  });

  it.each([
    ['nofunction', 'models: {a: {url: step.mar}}\ndag: {pre: [a], a: [nosuch]}\n', /\[Failed to start workers for model nofunction__nosuch version: 1\.0/],
    ['nomodel', 'models: {a: {url: none.mar}}\ndag: {pre: [a]}\n', /\[Workflow Node nomodel__a failed to register\. Details: Model not found at: none\.mar\]/],
    ['join', 'models: {a: {url: step.mar}}\ndag: {a: []}\n', /^Workflow join is already registered/],
  ])('leaves no node behind: %s', async (name, spec, message) => {
    await workflowArchive(workflows, { name, spec, functions: FUNCTIONS });
    const before = [await models(), workingCopies()];

    const answer = await server.manage('POST', `/workflows?url=${name}.war`);

    expect(answer.json()).toMatchObject({ message: expect.stringMatching(message) });
    expect([await models(), workingCopies()]).toEqual(before);
  });

  it('because a model has the name of its node leaves that model alone', async () => {
    const spec = 'models: {b__a: {url: step.mar}, a: {url: step.mar}}\ndag: {a: []}\n';
    await register('one', spec.replace('dag: {a: []}', 'dag: {b__a: []}'));
    await workflowArchive(workflows, { name: 'one__b', spec });

    const answer = await server.manage('POST', '/workflows?url=one__b.war');

    expect(answer.json()).toMatchObject({ message: expect.stringContaining('Model version 1.0 is already registered for model one__b__a') });
    expect((await run('one')).json()).toEqual({ trail: ['a of 1'] });
  });
});

it('a server that stops answers the workflows that it has in hand', async () => {
  const answer = run('fail', { a: 'sleep' });
  await server.eventually(async () => {
    const [{ jobQueueStatus }] = (await server.manage('GET', '/models/fail__pre')).json() as [{ jobQueueStatus: { pendingRequests: number } }];
    return jobQueueStatus.pendingRequests === 0;
  }, 'the request is on its way');

  server.signal('SIGTERM');

  expect((await answer).json()).toMatchObject({ trail: ['pre', 'a of 1', 'b of 1'] });
  expect(await server.exited).toBe(0);
});
