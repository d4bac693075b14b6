import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ASYNC_HANDLER, aBatch, alive, HANDLER, LOADS_BADLY, ROOT, run, STEP_HANDLER, Story, until, Workshop } from '../../../test/fixtures/python-workers.js';
import { HandlerFailed, LoadFailed, ResponseTooLarge } from '../../errors/backend.js';

let shop: Workshop;

beforeAll(async () => {
  shop = await Workshop.open();
});

afterAll(() => shop.close());

describe('loading', () => {
  it('prints the lines of a TorchServe worker in their order, then what the handler prints', async () => {
    const { runner, lines } = await shop.loaded(shop.aModel(HANDLER));

    await run(runner, { do: 'nothing' });
    await until(() => lines.some(({ line }) => line.startsWith('loading in')));

    expect(lines.slice(0, 4)).toEqual([
      { stream: 'stdout', line: `[PID]${runner.pid}` },
      { stream: 'stdout', line: 'Torch worker started.' },
      { stream: 'stdout', line: expect.stringMatching(/^Python runtime: 3\.\d+\.\d+/) },
      { stream: 'stdout', line: expect.stringMatching(/^model_name: m\d+, batchSize: 4$/) },
    ]);
  });

  it.each([
    ['a RuntimeError', 'runtime', 500, 'RuntimeError: no weights here', { code: 1 }, 'Failed to load model'],
    ['a CUDA error', 'cuda', 507, 'RuntimeError: CUDA out of memory', { code: 1 }, 'cuda OOM'],
    ['a MemoryError', 'memory', 507, 'MemoryError: too much', { code: 1 }, 'cpu OOM'],
    ['a missing module', 'import', 500, "ModuleNotFoundError: No module named 'surely_not_there'", { code: 1 }, 'Backend worker process died.'],
    ['a syntax error', 'syntax', 500, /SyntaxError/, { code: 1 }, 'Backend worker process died.'],
    ['os._exit', 'exit', 500, /exit code 3/, { code: 3 }, 'model_name'],
    ['a kill by the kernel', 'oom-killed', 507, /SIGKILL/, { signal: 'SIGKILL' }, 'model_name'],
  ])('that ends in %s is refused with its last words, and one exit is reported', async (_, how, status, message, end, printed) => {
    const { runner, lines, exited, exits } = shop.aRunner(shop.aModel(LOADS_BADLY, { how }));

    const failure = await runner.load().then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(exits()).toBe(0);
    const exit = await exited;

    expect(LoadFailed.is(failure)).toBe(true);
    expect(failure).toMatchObject({ message: expect.stringMatching(message), rendering: { http: status } });
    expect(exit).toMatchObject({ expected: false, code: undefined, signal: undefined, ...end });
    expect(lines.some(({ stream, line }) => stream === 'stdout' && line.includes(printed))).toBe(true);
    expect(exits()).toBe(1);
  });

  it('that takes longer than the start-up time-out is refused and its process ended', async () => {
    const { runner, exited } = shop.aRunner(shop.aModel(LOADS_BADLY, { how: 'hang' }), { spec: { startupTimeoutMs: 400 } });

    await expect(runner.load()).rejects.toMatchObject({ message: 'Backend worker did not respond in given time' });

    const exit = await exited;
    expect(exit).toMatchObject({ expected: false, signal: undefined });
    expect(alive(runner.pid ?? 0)).toBe(false);
  });

  it('that is killed before it began is refused', async () => {
    const { runner, exited } = shop.aRunner(shop.aModel(HANDLER));

    const load = runner.load();
    runner.kill();

    await expect(load).rejects.toMatchObject({ message: 'The worker was stopped while it was loading.' });
    expect(await exited).toMatchObject({ expected: true });
  });

  it('with an interpreter that is not there is refused by prepare and by load', async () => {
    const absent = await shop.anotherBackend({ interpreter: '/nowhere/python' });
    const model = shop.aModel(HANDLER);

    await expect(absent.prepare(model)).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE', message: expect.stringContaining('/nowhere/python') });
    await expect(shop.aRunner(model, { from: absent }).runner.load()).rejects.toMatchObject({ code: 'LOAD_FAILED' });
  });

  it('finds the handler of the model although its name is one of ours', async () => {
    for (const name of ['worker', 'service', 'frames', 'utils', 'handler', 'parent', 'queue']) {
      const model = shop.aModel('', { [`${name}.py`]: 'def handle(data, context):\n    return data and ["mine"]\n' }, { handler: `${name}.py:handle` });
      const { runner } = await shop.loaded(model);

      const story = await run(runner, { do: 'nothing' });

      expect(story.parts.map(({ text }) => text)).toEqual(['mine']);
      runner.kill();
    }
  });
});

describe('a batch', () => {
  it('is answered in its order, in the thread, folder and environment that a handler expects', async () => {
    const model = shop.aModel(HANDLER);
    const { runner } = await shop.loaded(model);

    const { parts, failures } = await run(runner, { do: 'echo' }, { do: 'nothing' });

    const said = JSON.parse(parts[0]?.text ?? '{}');
    expect(failures).toEqual([]);
    expect(parts.map(({ index, part }) => [index, part.status, part.last])).toEqual([
      [0, 200, true],
      [1, 200, true],
    ]);
    expect(said).toMatchObject({ cwd: model.directory, thread: true, header: 'tést', id: 'request-0', session: true, argv: ['model_service_worker.py'] });
    expect(said.path.slice(0, 2)).toEqual([model.directory, join(ROOT, 'python')]);
    expect(said.env).toEqual({
      PATH: process.env.PATH,
      SECRET: 'for the worker only',
      TS_DECODE_INPUT_REQUEST: 'true',
      TS_IPEX_ENABLE: 'false',
      TS_IPEX_GPU_ENABLE: 'false',
      TS_REQUEST_SEQUENCE_ID: 'seq_id',
      TS_REQUEST_SEQUENCE_START: 'seq_start',
      TS_REQUEST_SEQUENCE_END: 'seq_end',
      PYTHONPATH: `${model.directory}:${join(ROOT, 'python')}`,
      OMP_NUM_THREADS: '1',
    });
    if (process.platform === 'linux') {
      expect(said.cmdline).toContain('model_service_worker.py W-9000-');
      expect(readFileSync(`/proc/${runner.pid}/environ`, 'latin1')).not.toContain('SECRET');
    }
  });

  it('whose handler raises fails for each of its requests', async () => {
    const { runner } = await shop.loaded(shop.aModel(HANDLER));

    const raised = await run(runner, { do: 'nothing' }, { do: 'raise' });
    const chosen = await run(runner, { do: 'prediction-error' });

    expect(raised.failures.map(({ index, error }) => [index, HandlerFailed.is(error), error.rendering.http, error.message])).toEqual([
      [0, true, 503, 'Prediction failed'],
      [1, true, 503, 'Prediction failed'],
    ]);
    expect(chosen.failures.map(({ error }) => [error.rendering.http, error.message])).toEqual([[418, 'no such luck']]);
  });

  it('comes with status and headers, without those that would break the message', async () => {
    const { runner } = await shop.loaded(shop.aModel(HANDLER));

    const [teapot] = (await run(runner, { do: 'status', code: 418 })).parts;
    const [impossible] = (await run(runner, { do: 'status', code: 100 })).parts;

    expect(teapot?.part).toMatchObject({ status: 418, reason: '', headers: [['x-good', 'yes']] });
    expect(impossible?.part.status).toBe(500);
  });

  it('that streams is told part by part', async () => {
    const { runner } = await shop.loaded(shop.aModel(HANDLER));

    const { parts } = await run(runner, { do: 'stream' });

    expect(parts.map(({ text, part }) => [text, part.last])).toEqual([
      ['part 0', false],
      ['part 1', false],
      ['part 2', false],
      ['end', true],
    ]);
  });

  it('that has ended takes no part from a thread that the handler left behind', async () => {
    const { runner, lines } = await shop.loaded(shop.aModel(HANDLER));

    const file = shop.signalFile();
    const { parts } = await run(runner, { do: 'late', file });
    writeFileSync(file, '');
    await until(() => lines.some(({ line }) => line === 'tried to be late'));

    expect((await run(runner, { do: 'nothing' })).failures).toEqual([]);
    expect(parts.map(({ text }) => text)).toEqual(['done']);
  });

  it('given behind another is done after it', async () => {
    const { runner } = await shop.loaded(shop.aModel(HANDLER));
    const file = shop.signalFile();
    const order: string[] = [];
    const [first, second] = [new Story(), new Story()];

    runner.run(aBatch({ do: 'wait', file }), first);
    runner.run(aBatch({ do: 'nothing' }), second);
    void first.finished.then(() => order.push('first'));
    void second.finished.then(() => order.push('second'));
    writeFileSync(file, '');
    await Promise.all([first.finished, second.finished]);

    expect(order).toEqual(['first', 'second']);
    expect(runner.pipelineDepth).toBe(8);
  });

  it('of a coroutine handler overlaps with the next and is done as soon as it has ended', async () => {
    const asynchronous = { asyncCommunication: true, raw: { asyncCommunication: true } };
    const model = shop.aModel(ASYNC_HANDLER);
    const { runner } = await shop.loaded({ ...model, config: { ...model.config, ...asynchronous } });
    const order: string[] = [];
    const [first, second] = [new Story(), new Story()];

    runner.run(aBatch({ do: 'wait' }), first);
    runner.run(aBatch({ do: 'open' }), second);
    void first.finished.then(() => order.push('first'));
    void second.finished.then(() => order.push('second'));
    await Promise.all([first.finished, second.finished]);

    expect([first.parts[0]?.text, second.parts[0]?.text]).toEqual(['waited', 'opened']);
    expect(order).toEqual(['second', 'first']);
    expect(runner.pipelineDepth).toBeGreaterThan(100);
  });

  it('of a coroutine handler ends when its request is cancelled, and leaves the others alone', async () => {
    const asynchronous = { asyncCommunication: true, raw: { asyncCommunication: true } };
    const model = shop.aModel(ASYNC_HANDLER);
    const { runner } = await shop.loaded({ ...model, config: { ...model.config, ...asynchronous } });
    const [first, second] = [new Story(), new Story()];
    const waiting = aBatch({ do: 'wait' });
    runner.run({ ...waiting, requests: waiting.requests.map((request) => Object.assign(request, { id: 'gone' })) }, first);
    runner.run(aBatch({ do: 'wait' }), second);

    runner.cancel?.(['gone', 'never there']);
    await first.finished;
    await run(runner, { do: 'open' });
    await second.finished;

    expect(first.failures.map(({ error }) => error.rendering.http)).toEqual([499]);
    expect(second.parts[0]?.text).toBe('waited');
  });

  it('that is a step of continuous batching leaves open what goes on, and the next step is told who has left', async () => {
    const model = shop.aModel(STEP_HANDLER);
    const { runner } = await shop.loaded({ ...model, config: { ...model.config, raw: { continuousBatching: true } } });
    const stay = aBatch({ say: 'a' });

    const first = await run(runner, { say: 'gone' }, { say: 'a' });
    runner.cancel?.(['request-0', 'request-1']);
    const second = new Story();
    runner.run({ ...stay, requests: stay.requests.map((request) => Object.assign(request, { id: 'request-2', inputs: [] })) }, second);
    await second.finished;
    const third = await run(runner, { say: 'end' });

    expect(first.parts.map(({ part, text }) => [text, part.last])).toEqual([
      ['gone [] []', false],
      ['a [] []', false],
    ]);
    expect(second.parts[0]?.text).toBe("known ['request-0', 'request-1'] ['request-0', 'request-1']");
    expect(third.parts.map(({ part, text }) => [text, part.last])).toEqual([['end [] []', true]]);
  });

  it('with bodies of megabytes both ways comes whole', async () => {
    const { runner } = await shop.loaded(shop.aModel(HANDLER));
    const size = 6_000_000;

    const { parts } = await run(runner, { do: 'big', size, padding: 'p'.repeat(3_000_000) }, { do: 'big', size });

    expect(parts.map(({ part }) => part.body.length)).toEqual([size, size]);
  });

  it('with a body over the limit fails for its requests, and the worker is ended', async () => {
    const { runner, exited } = await shop.loaded(shop.aModel(HANDLER), { spec: { maxResponseBytes: 1000 } });
    for (const size of [1001, 5_000_000]) {
      const { runner: other, exited: gone } =
        size === 1001 ? { runner, exited } : await shop.loaded(shop.aModel(HANDLER), { spec: { maxResponseBytes: 1000 } });
      const story = new Story();

      other.run(aBatch({ do: 'big', size }), story);
      const exit = await gone;

      expect(story.failures.map(({ error }) => ResponseTooLarge.is(error))).toEqual([true]);
      expect(story.ended).toBe(false);
      expect(exit).toMatchObject({ expected: false, signal: undefined });
      expect(exit.lastLines.join('\n')).toContain('max_response_size');
    }
  });
});
