import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aRun } from '../../test/fixtures/workflow-runs.js';
import { BadInput, HandlerFailed, WorkerDied } from '../errors/backend.js';
import { DeadlineExceeded, Draining, QueueFull } from '../errors/scheduling.js';

const SEQUENTIAL = 'models: {retry-attempts: 0}\ndag: {pre: [a], a: [post]}\n';
const PARALLEL = 'models: {retry-attempts: 0}\ndag: {pre: [a, b], a: [post], b: [post]}\n';
const TWO_LEAVES = 'models: {retry-attempts: 0}\ndag: {pre: [a, b]}\n';
const RETRYING = 'models: {retry-attempts: 2, timeout-ms: 100}\ndag: {a: []}\n';
const FAULT = HandlerFailed({ status: 503, message: 'Prediction failed' });

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

describe('a run', () => {
  it("gives the first node the request's inputs and headers, each next one what the node before answered, and the client what the last one did", () => {
    const { run, node, answer, names, ended, counted } = aRun({ spec: SEQUENTIAL });

    run.start();
    expect(node('pre').inputs).toEqual({ data: 'in' });
    node('pre').says('from pre');
    node('a').says('from a', { status: 202, headers: [['content-type', 'text/html']] });
    expect(node('post').inputs).toEqual({ body: 'from a' });
    expect(node('post').request).toMatchObject({ model: 'w__post', version: undefined, purpose: 'predict', headers: [['x-from', 'client']] });
    node('post').says('out');

    expect(names()).toEqual(['pre', 'a', 'post']);
    expect(answer.parts).toEqual([{ status: 200, reason: 'OK', headers: [['content-type', 'application/json']], body: Buffer.from('out'), last: true }]);
    expect([ended, counted]).toEqual([[run], ['w__pre', 'w__a', 'w__post']]);
  });

  it('asks nodes side by side that wait for nothing, and joins them under their names where they meet', () => {
    const { run, node, answer, names } = aRun({ spec: PARALLEL });

    run.start();
    node('pre').says('p');
    expect(names()).toEqual(['pre', 'a', 'b']);
    node('b').says('from b');
    expect(names()).toEqual(['pre', 'a', 'b']);
    node('a').says('from a');

    expect(node('post').inputs).toEqual({ a: 'from a', b: 'from b' });
    node('post').says('out');
    expect(answer.outcome).toBe('out');
  });

  it('with several last nodes answers an object with the object of each, its numbers as they were spelt', () => {
    const { run, node, answer } = aRun({ spec: TWO_LEAVES });

    run.start();
    node('pre').says('p');
    node('b').says('{"big": 12345678901234567890, "not": NaN}');
    node('a').says('{"half": 1.0}\n');

    expect(answer.outcome).toBe('{\n  "a": {"half": 1.0},\n  "b": {"big": 12345678901234567890, "not": NaN}\n}\n');
  });

  it.each(['3', '[1]', 'null', 'no JSON', ''])('with several last nodes of which one answered %s is told which one', (text) => {
    const { run, node, answer } = aRun({ spec: TWO_LEAVES });

    run.start();
    node('pre').says('p');
    node('a').says('{}');
    node('b').says(text);

    expect(answer.failures[0]).toMatchObject({ code: 'WORKFLOW_NODE_FAILED', message: expect.stringMatching(/^Error executing b: .*no JSON object/) });
  });

  it('takes the parts of a stream for one answer, up to the longest that an answer may be', () => {
    const whole = aRun({ spec: 'dag: {a: []}' });
    whole.run.start();
    whole.node('a').says('one ', { last: false });
    whole.node('a').says('two');
    expect(whole.answer.outcome).toBe('one two');

    const long = aRun({ spec: RETRYING, maxResponseBytes: 5 });
    long.run.start();
    long.node('a').says('1234', { last: false });
    long.node('a').says('56');
    expect([long.asked.length, long.answer.failures[0]?.message]).toEqual([1, 'Error executing a: Worker died.']);
  });

  it('asks no more than eight nodes at once', () => {
    const wide = Array.from({ length: 20 }, (_, i) => `m${i}`);
    const { run, node, names, answer } = aRun({ spec: `dag: {pre: [${wide.join(', ')}]}` });

    run.start();
    node('pre').says('p');
    expect(names()).toHaveLength(9);
    node('m3').says('{}');
    expect(names()).toHaveLength(10);
    for (const name of wide) if (name !== 'm3') node(name).says('{}');

    expect(answer.parts).toHaveLength(1);
  });
});

describe('a node that fails', () => {
  it('ends the run with its name and why; the others hear that nobody waits', () => {
    const { run, node, answer, refused, log } = aRun({ spec: PARALLEL });

    run.start();
    node('pre').says('p');
    node('b').fails(FAULT);
    expect(node('a').request.cancelled.aborted).toBe(true);
    node('a').says('too late');

    expect(answer.failures[0]).toMatchObject({
      message: 'Error executing b: Prediction failed',
      reason: 'node_failed',
      rendering: { http: 500, type: 'InternalServerException' },
    });
    expect([answer.parts, refused]).toEqual([[], ['w node_failed']]);
    expect(log.lines.join()).toContain(`request r1: Error executing b: Prediction failed; the node's own request was ${node('b').request.id}`);
  });

  it('is asked again with the same inputs, after a pause, as often as its specification says', () => {
    const { run, node, answer, asked } = aRun({ spec: RETRYING });

    run.start();
    node('a').fails(FAULT);
    expect(asked).toHaveLength(1);
    vi.advanceTimersByTime(10);
    node('a').fails(WorkerDied({}));
    vi.advanceTimersByTime(20);
    node('a').fails(FAULT);

    expect(asked.map(({ inputs }) => inputs)).toEqual([{ data: 'in' }, { data: 'in' }, { data: 'in' }]);
    expect(new Set(asked.map(({ request }) => request.id)).size).toBe(3);
    expect(answer.failures[0]?.message).toBe('Error executing a: Prediction failed (tried 3 times)');
  });

  it('and then answers is no matter', () => {
    const { run, node, answer } = aRun({ spec: RETRYING });

    run.start();
    node('a').fails(FAULT);
    vi.advanceTimersByTime(10);
    node('a').says('out');

    expect(answer.outcome).toBe('out');
  });

  it('is given the time of its specification for each try', () => {
    const { run, node, answer } = aRun({ spec: RETRYING.replace('2', '1') });
    const tooLate = DeadlineExceeded({ model: 'w__a', afterMs: 100 });

    run.start();
    expect((node('a').request.deadlineAtMs ?? 0) - node('a').request.receivedAtMs).toBeCloseTo(100, 6);
    vi.advanceTimersByTime(100);
    node('a').fails(tooLate);
    vi.advanceTimersByTime(10);
    expect((node('a').request.deadlineAtMs ?? 0) - node('a').request.receivedAtMs).toBeCloseTo(100, 6);
    node('a').fails(tooLate);

    expect(answer.failures[0]?.message).toBe('Error executing a: no answer within 100 ms (tried 2 times)');
  });

  it.each([
    ['whose queue is full', QueueFull({ model: 'w__a' })],
    ['that cannot take its input', BadInput({ what: 'no image' })],
  ])('%s is not asked again', (_what, error) => {
    const { run, node, answer, asked } = aRun({ spec: RETRYING });

    run.start();
    node('a').fails(error);

    expect(asked).toHaveLength(1);
    expect(answer.failures[0]?.message).toBe(`Error executing a: ${error.message}`);
  });

  it('in words of several lines has one line in the log', () => {
    const { run, node, log, answer } = aRun({ spec: SEQUENTIAL });

    run.start();
    node('pre').fails(HandlerFailed({ status: 500, message: 'one\n2026 [ERROR] two' }));

    expect(answer.failures[0]?.message).toBe('Error executing pre: one\n2026 [ERROR] two');
    expect(log.lines).toEqual([expect.stringContaining('Error executing pre: one 2026 [ERROR] two;')]);
  });

  it('by a fault of ours ends the run all the same, and the log has the fault', () => {
    const { run, answer, log } = aRun({
      spec: SEQUENTIAL,
      infer: () => {
        throw new TypeError('no such thing');
      },
    });

    run.start();

    expect(answer.failures[0]?.message).toBe('Error executing pre: internal server error');
    expect(log.lines.join()).toContain('ERROR Workflow w, request r1');
  });

  it('because the server stops ends the run as draining', () => {
    const { run, node, answer } = aRun({ spec: RETRYING });

    run.start();
    node('a').fails(Draining({}));

    expect(answer.outcome).toBe('DRAINING');
  });
});

describe('the client of a run', () => {
  it('that goes away ends it, and its nodes with it', () => {
    const { run, node, answer, client, ended } = aRun({ spec: SEQUENTIAL });

    run.start();
    client.abort();

    expect(node('pre').request.cancelled.aborted).toBe(true);
    expect([answer.outcome, ended]).toEqual(['REQUEST_CANCELLED', [run]]);
  });

  it('that has gone before asks nothing', () => {
    const { run, answer, client, asked } = aRun({ spec: SEQUENTIAL });

    client.abort();
    run.start();

    expect([answer.outcome, asked]).toEqual(['REQUEST_CANCELLED', []]);
  });

  it('that goes away during a pause is not asked for again', () => {
    const { run, node, client, asked } = aRun({ spec: RETRYING });

    run.start();
    node('a').fails(FAULT);
    client.abort();
    vi.advanceTimersByTime(1000);

    expect(asked).toHaveLength(1);
  });

  it('with a deadline gives it to the nodes, and is answered when it passes', () => {
    const { run, node, answer } = aRun({ spec: SEQUENTIAL, request: { deadlineAtMs: performance.now() + 50 } });

    run.start();
    expect((node('pre').request.deadlineAtMs ?? 0) - node('pre').request.receivedAtMs).toBeCloseTo(50, 6);
    vi.advanceTimersByTime(50);

    expect(answer.failures[0]).toMatchObject({ code: 'WORKFLOW_DEADLINE_EXCEEDED', reason: 'deadline', rendering: { http: 504 } });
    expect(answer.failures[0]?.message).toContain('workflow "w" was not answered within its deadline (50 ms)');
  });
});
