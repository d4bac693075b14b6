import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archive } from '../fixtures/archives.js';
import { call, type HttpResult, RunningServer } from './running-server.js';

const server = new RunningServer();

function script(model: string, wish: Readonly<Record<string, unknown>>): Promise<HttpResult> {
  return server.predict(model, { body: JSON.stringify(wish), headers: { 'content-type': 'application/json' } });
}

interface Worker {
  readonly id: string;
  readonly pid: number;
  readonly status: string;
}

async function described(
  model: string,
): Promise<{ workers: readonly Worker[]; crashes?: readonly { cause: string; requestIds: readonly string[]; lastLines: readonly string[] }[] }> {
  const [version] = JSON.parse((await server.manage('GET', `/models/${model}`)).text);
  return version;
}

async function workersOf(model: string): Promise<readonly Worker[]> {
  return (await described(model)).workers;
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function register(model: string, workers: number, config?: string): Promise<void> {
  const file = await archive(server.store, { name: model, handler: 'scripted.py', ...(config === undefined ? {} : { config }) });
  const answer = await server.manage('POST', `/models?url=${file}&initial_workers=${workers}`);
  expect(answer.text).toContain(`registered with ${workers} initial workers`);
}

beforeAll(async () => {
  await server.start({ config: server.sharing('one') });
  await register('one', 1);
  await register('two', 2);
  await register('once', 1, 'sconce:\n  retryOnWorkerDeath: false\n');
});

afterAll(() => server.dispose());

describe('a Python worker', () => {
  it('that is killed while it computes loses no request: it is tried once more on a new worker', async () => {
    const [worker] = await workersOf('one');
    const [started, until] = [join(server.shared, 'started'), join(server.shared, 'until')];
    const answer = script('one', { do: 'hold', started, until });
    await server.eventually(async () => existsSync(started), 'it computes');

    process.kill(worker?.pid ?? -1, 'SIGKILL');
    writeFileSync(until, '');

    const { status, text } = await answer;
    expect(status).toBe(200);
    expect(text).not.toContain(`pid ${worker?.pid}`);
  });

  it('killed by a request twice fails that request alone with 507 and out_of_memory when the signal was SIGKILL', async () => {
    const neighbour = script('two', { do: 'sleep', seconds: 0.2 });
    const { status, headers, json } = await script('two', { do: 'exit', code: 137 });

    expect(status).toBe(507);
    expect(headers['x-sconce-reason']).toBe('out_of_memory');
    expect(json()).toEqual({ code: 507, type: 'InternalServerException', message: 'Worker died.' });
    expect((await neighbour).status).toBe(200);
  });

  it('that ends under a request whose model forbids retrying gives 500 at once, and the next request is served by its successor', async () => {
    const before = await workersOf('once');

    const { status, headers, json } = await script('once', { do: 'exit' });
    expect([status, headers['x-sconce-reason']]).toEqual([500, 'worker_lost']);
    expect(json()).toEqual({ code: 500, type: 'InternalServerException', message: 'Worker died.' });

    expect((await script('once', { do: 'nothing' })).status).toBe(200);
    const after = await workersOf('once');
    expect(after.map((worker) => worker.id)).toEqual(before.map((worker) => worker.id));
    expect(after[0]?.pid).not.toBe(before[0]?.pid);
  });

  it.each([
    ['a segmentation fault', { do: 'segfault' }, 'segmentation fault'],
    ['sys.exit', { do: 'sys-exit' }, 'exit code 0'],
  ])('leaves a dossier after %s', async (_, wish, cause) => {
    const { status, headers } = await script('once', wish);

    expect(status).toBe(500);
    const { crashes = [] } = await described('once');
    const last = crashes.at(-1);
    expect(last?.cause).toContain(cause);
    expect(last?.requestIds).toEqual([headers['x-request-id']]);
    const all: unknown = (await server.manage('GET', '/sconce/crashes?model=once')).json();
    expect(all).toHaveLength(crashes.length);
  });

  it('with job tickets answers who had one, gives none while it is away, and gives them again', async () => {
    await register('ticketed', 1, 'useJobTicket: true\nsconce: {retryOnWorkerDeath: false}\n');

    const lost = await script('ticketed', { do: 'exit' });
    const away = await script('ticketed', { do: 'nothing' });

    expect([lost.status, lost.headers['x-sconce-reason']]).toEqual([500, 'worker_lost']);
    expect([away.status, away.headers['x-sconce-reason']]).toEqual([503, 'queue_full']);
    await server.eventually(async () => (await script('ticketed', { do: 'nothing' })).status === 200, 'there are tickets again');
  });

  it('in an endless loop is killed after the response time-out and replaced', async () => {
    await register('spinner', 1, 'responseTimeout: 1\n');

    const { status, json } = await script('spinner', { do: 'spin' });

    expect([status, json()]).toEqual([500, { code: 500, type: 'InternalServerException', message: 'Worker died.' }]);
    expect((await script('spinner', { do: 'nothing' })).status).toBe(200);
  });

  it('that prints by the megabyte still answers, and its output is in the model log', async () => {
    const { status } = await script('one', { do: 'shout', lines: 3000 });

    expect(status).toBe(200);
    await server.eventually(async () => server.log('model_log.log').split('x'.repeat(1000)).length > 3000, 'the model log has every line');
  });

  it('whose answer is longer than max_response_size is replaced, and the request fails', async () => {
    const { status, json } = await script('one', { do: 'big', size: 7_000_000 });

    expect([status, json()]).toEqual([500, { code: 500, type: 'InternalServerException', message: 'Worker died.' }]);
    expect((await script('one', { do: 'nothing' })).status).toBe(200);
  });

  it('that cannot load fails a synchronous registration with its last words, and the model is gone', async () => {
    const file = await archive(server.store, { name: 'broken', handler: 'scripted.py', config: 'handler:\n  fail_load: no weights here\n' });

    const { status, text } = await server.manage('POST', `/models?url=${file}&initial_workers=2`);

    expect(status).toBe(500);
    expect(text).toContain('Failed to start workers for model broken version: 1.0');
    expect((await server.manage('GET', '/models/broken')).status).toBe(404);
    await server.logHas('model_log.log', 'no weights here');
  });

  it('dead for good answers its callers with 503 in time', async () => {
    const file = await archive(server.store, { name: 'dead', handler: 'scripted.py', config: 'maxRetryTimeoutInSec: 0\nhandler:\n  fail_load: exit\n' });
    await server.manage('POST', `/models?url=${file}&initial_workers=1&synchronous=false`);

    await server.eventually(async () => (await script('dead', { do: 'nothing' })).status === 503, 'the dead model answers 503');
    const { headers, json } = await script('dead', { do: 'nothing' });

    expect(headers['x-sconce-reason']).toBe('no_workers');
    expect(json()).toMatchObject({ code: 503, type: 'ServiceUnavailableException' });
    await server.eventually(async () => (await call(`${server.inference}/ping`)).status === 500, 'ping tells that it is unhealthy');
    await server.manage('DELETE', '/models/dead');
  });

  it('scales 1 → 4 → 1 under load with every request answered', async () => {
    await register('elastic', 1);
    let running = true;
    const statuses: number[] = [];
    const client = async () => {
      while (running) statuses.push((await script('elastic', { do: 'sleep', seconds: 0.005 })).status);
    };
    const clients = Array.from({ length: 8 }, client);

    const up = await server.manage('PUT', '/models/elastic?min_worker=4&synchronous=true');
    expect(up.json()).toEqual({ status: 'Workers scaled to 4 for model: elastic' });
    const four = await workersOf('elastic');
    const down = await server.manage('PUT', '/models/elastic?min_worker=1&synchronous=true');
    expect(down.status).toBe(200);
    running = false;
    await Promise.all(clients);

    expect(four.map((worker) => worker.status)).toEqual(['READY', 'READY', 'READY', 'READY']);
    expect((await workersOf('elastic')).map((worker) => worker.id)).toEqual([four[0]?.id]);
    expect(statuses.length).toBeGreaterThan(20);
    expect(new Set(statuses)).toEqual(new Set([200]));
    await server.eventually(async () => four.slice(1).every((worker) => !alive(worker.pid)), 'the surplus workers are gone');
  });

  it('takes its children with it when its model is unregistered', async () => {
    await register('parent', 1);
    const [worker] = await workersOf('parent');
    expect(alive(worker?.pid ?? -1)).toBe(true);

    expect((await server.manage('DELETE', '/models/parent')).json()).toEqual({ status: 'Model "parent" unregistered' });

    await server.eventually(async () => !alive(worker?.pid ?? -1), 'the worker is gone');
  });

  it('is recycled after its share of requests by a successor that was ready first', async () => {
    await register('recycled', 1, 'sconce:\n  recycle:\n    afterRequests: 3\n');
    const [first] = await workersOf('recycled');
    let answered = 0;

    await server.eventually(async () => {
      const { status } = await script('recycled', { do: 'nothing' });
      expect(status).toBe(200);
      answered += 1;
      const [now] = await workersOf('recycled');
      return now?.pid !== first?.pid;
    }, 'the worker is replaced');

    expect(answered).toBeGreaterThanOrEqual(3);
    expect((await described('recycled')).crashes).toBeUndefined();
  });
});

describe('batches', () => {
  it('gather requests up to the batch size, answer each its own, and share a fault', async () => {
    const file = await archive(server.store, {
      name: 'batched',
      handler: 'echo.py',
      config: 'batchSize: 4\nmaxBatchDelay: 2000\nminWorkers: 1\nmaxWorkers: 1\n',
    });
    await server.manage('POST', `/models?url=${file}`);

    const answers = await Promise.all(
      Array.from({ length: 4 }, (_, n) => server.predict('batched', { body: JSON.stringify({ n }), headers: { 'content-type': 'application/json' } })),
    );

    const seen = answers.map((answer) => JSON.parse(answer.text));
    expect(seen.map((echo) => echo.data.body.n)).toEqual([0, 1, 2, 3]);
    expect(seen.map((echo) => echo.batch)).toEqual([4, 4, 4, 4]);
    expect(seen.map((echo) => echo.request_id)).toEqual(answers.map((answer) => answer.headers['x-request-id']));
  });
});

describe('a server that is killed', () => {
  it('leaves no worker, no parent and no socket behind', async () => {
    const victim = new RunningServer();
    try {
      const file = await archive(victim.store, { name: 'left', handler: 'scripted.py' });
      await victim.start({ args: ['--models', `left=${file}`], config: { default_workers_per_model: '2' }, env: { TEMP: victim.folder } });
      const pids: number[] = JSON.parse((await victim.manage('GET', '/models/left')).text)[0].workers.map((worker: Worker) => worker.pid);
      const parents = execFileSync('ps', ['-o', 'ppid=', '-p', pids.join(',')], { encoding: 'utf8' })
        .trim()
        .split(/\s+/)
        .map(Number);
      const runFolder = join(victim.folder, readdirSync(victim.folder).find((name) => name.startsWith('sconce-')) ?? 'none');
      expect(readFileSync('/proc/net/unix', 'utf8')).toContain(runFolder);
      const busy = victim.predict('left', { body: '{"do":"spin"}', headers: { 'content-type': 'application/json' } }).catch(() => undefined);

      victim.signal('SIGKILL');
      await busy;

      await victim.eventually(async () => [...pids, ...parents].every((pid) => !alive(pid)), 'workers and parent are gone');
      expect(existsSync(runFolder)).toBe(false);
      expect(readFileSync('/proc/net/unix', 'utf8')).not.toContain(runFolder);
    } finally {
      await victim.dispose();
    }
  });
});
