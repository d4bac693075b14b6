import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aDispatcher, aPart, offer, RecordingLane } from '../../test/fixtures/dispatching.js';
import { HandlerFailed } from '../errors/backend.js';
import type { InputParameter } from '../inference/request.js';

const CONTINUOUS = { continuousBatching: true };
const INPUTS: readonly InputParameter[] = [{ name: 'body', contentType: '', value: Buffer.from('prompt') }];

/** Ends the nth step: a word for each of its requests, its last where the request is among `ends`. */
function step(lane: RecordingLane, n: number, ends: readonly string[] = []): void {
  const run = lane.runs[n];
  run?.batch.requests.forEach(({ id }, index) => {
    run.sink.part(index, aPart(id, ends.includes(id)));
  });
  run?.sink.done(1);
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('continuous batching', () => {
  it('lets newcomers join between steps, sends the known without inputs, and lets each leave with its last word', () => {
    const dispatcher = aDispatcher({ batchSize: 2, maxBatchDelayMs: 10 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    const a = offer(dispatcher, { inputs: INPUTS });
    vi.advanceTimersByTime(10);
    const b = offer(dispatcher, { inputs: INPUTS });
    const c = offer(dispatcher, { inputs: INPUTS });
    step(lane, 0);
    step(lane, 1, [a.id]);
    step(lane, 2, [b.id, c.id]);

    expect(lane.runs.map((_, n) => lane.ids(n))).toEqual([[a.id], [a.id, b.id], [b.id, c.id]]);
    expect(lane.runs.map(({ batch }) => batch.requests.map(({ inputs }) => inputs.length))).toEqual([[1], [0, 1], [0, 1]]);
    expect([a, b, c].map(({ answer }) => [answer.parts.length, answer.outcome])).toEqual([
      [2, a.id],
      [2, b.id],
      [1, c.id],
    ]);
  });

  it('waits for company only where nothing is active', () => {
    const dispatcher = aDispatcher({ batchSize: 4, maxBatchDelayMs: 100 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const a = offer(dispatcher);
    vi.advanceTimersByTime(100);
    const b = offer(dispatcher);

    step(lane, 0);

    expect(lane.ids(1)).toEqual([a.id, b.id]);
  });

  it('drops a request whose client has gone before the next step, and tells the worker', () => {
    const dispatcher = aDispatcher({ batchSize: 2, maxBatchDelayMs: 1 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const client = new AbortController();
    const gone = offer(dispatcher, { cancelled: client.signal });
    const stays = offer(dispatcher);

    client.abort();
    step(lane, 0);
    step(lane, 1, [stays.id]);

    expect(lane.cancelled).toEqual([gone.id]);
    expect(lane.ids(1)).toEqual([stays.id]);
    expect(gone.answer.outcome).toBe('REQUEST_CANCELLED');
    expect(stays.answer.outcome).toBe(stays.id);
  });

  it('takes no step when the last client has gone', () => {
    const dispatcher = aDispatcher({ batchSize: 1 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const client = new AbortController();
    offer(dispatcher, { cancelled: client.signal });
    step(lane, 0);

    client.abort();
    step(lane, 1);

    expect(lane.runs.length).toBe(2);
    expect(offer(dispatcher).answer.outcome).toBeUndefined();
    expect(lane.runs.length).toBe(3);
  });

  it('lets a request leave at its deadline', () => {
    const dispatcher = aDispatcher({ batchSize: 2, maxBatchDelayMs: 1 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const late = offer(dispatcher, { deadlineAtMs: performance.now() + 50 });
    const stays = offer(dispatcher);

    vi.advanceTimersByTime(50);
    step(lane, 0);

    expect(late.answer.outcome).toBe('DEADLINE_EXCEEDED');
    expect(lane.ids(1)).toEqual([stays.id]);
    expect(lane.cancelled).toEqual([late.id]);
  });

  it('answers all active when a step fails, and serves on', () => {
    const dispatcher = aDispatcher({ batchSize: 2, maxBatchDelayMs: 1 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const both = [offer(dispatcher), offer(dispatcher)];
    step(lane, 0);

    for (const index of [0, 1]) lane.runs[1]?.sink.fail(index, HandlerFailed({ status: 503, message: 'Prediction failed' }));
    lane.runs[1]?.sink.done(1);
    const next = offer(dispatcher);
    vi.advanceTimersByTime(1);
    step(lane, 2, [next.id]);

    expect(both.map(({ answer }) => answer.outcome)).toEqual(['HANDLER_FAILED', 'HANDLER_FAILED']);
    expect(next.answer.outcome).toBe(next.id);
    expect(lane.cancelled).toEqual([]);
  });

  it('answers all active when the worker dies, and gives what waits to the next', () => {
    const dispatcher = aDispatcher({ batchSize: 2, maxBatchDelayMs: 1 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const active = [offer(dispatcher), offer(dispatcher)];
    const waiting = offer(dispatcher);
    step(lane, 0);

    dispatcher.laneLost(lane, { outOfMemory: false });
    const successor = new RecordingLane('b');
    dispatcher.laneReady(successor);
    vi.advanceTimersByTime(1);
    step(successor, 0, [waiting.id]);

    expect(active.map(({ answer }) => answer.outcome)).toEqual(['WORKER_DIED', 'WORKER_DIED']);
    expect(waiting.answer.outcome).toBe(waiting.id);
  });

  it('answers all active when a step takes too long, and asks for another worker', () => {
    const dispatcher = aDispatcher({ batchSize: 1 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const { answer } = offer(dispatcher);
    step(lane, 0);

    vi.advanceTimersByTime(1000);

    expect(answer.outcome).toBe('RESPONSE_TIMEOUT');
    expect(lane.timeouts).toBe(1);
  });

  it('answers a request that a step says nothing of', () => {
    const dispatcher = aDispatcher({ batchSize: 2, maxBatchDelayMs: 1 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const [forgotten, heard] = [offer(dispatcher), offer(dispatcher)];

    lane.runs[0]?.sink.part(1, aPart('word', false));
    lane.runs[0]?.sink.done(1);
    step(lane, 1, [heard.id]);

    expect(forgotten.answer.outcome).toBe('PREDICTION_MISSING');
    expect(heard.answer.outcome).toBe(heard.id);
  });

  it('runs a describe request once, in a step of its own', () => {
    const dispatcher = aDispatcher({ batchSize: 4, maxBatchDelayMs: 1 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const a = offer(dispatcher);
    vi.advanceTimersByTime(1);

    const describe = offer(dispatcher, { purpose: 'describe' });
    step(lane, 0);
    step(lane, 1, [describe.id]);
    step(lane, 2, [a.id]);

    expect(lane.runs.map((_, n) => lane.ids(n))).toEqual([[a.id], [describe.id], [a.id]]);
    expect([a, describe].map(({ answer, id }) => answer.outcome === id)).toEqual([true, true]);
  });

  it('lets a lane that leaves finish its streams and take no more', async () => {
    const dispatcher = aDispatcher({ batchSize: 2, maxBatchDelayMs: 1 }, CONTINUOUS);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const a = offer(dispatcher);
    vi.advanceTimersByTime(1);

    const left = dispatcher.laneLeaving(lane);
    const later = offer(dispatcher);
    step(lane, 0);
    step(lane, 1, [a.id]);
    await left;

    expect(lane.runs.map((_, n) => lane.ids(n))).toEqual([[a.id], [a.id]]);
    expect(later.answer.outcome).toBeUndefined();
  });

  it('lets a sequence send its next request while its stream goes on, and ends sequences that the handler names', () => {
    const config = { ...CONTINUOUS, sequenceBatching: true, sequenceMaxIdleMs: 500, maxNumSequence: 1, maxSequenceJobQueueSize: 2 };
    const dispatcher = aDispatcher({ batchSize: 1 }, config);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const stream = offer(dispatcher, { headers: [['seq_id', 'x']] });
    const stop = offer(dispatcher, { headers: [['seq_id', 'x']] });
    vi.advanceTimersByTime(100);

    step(lane, 0);
    lane.runs[1]?.sink.part(0, aPart(stream.id));
    lane.runs[1]?.sink.part(1, { ...aPart(stop.id), headers: [['seq_end', 'x']] });
    lane.runs[1]?.sink.done(1);

    expect(lane.ids(1)).toEqual([stream.id, stop.id]);
    expect([stream, stop].map(({ answer, id }) => answer.outcome === id)).toEqual([true, true]);
    vi.advanceTimersByTime(0);
    expect(offer(dispatcher, { headers: [['seq_id', 'y']] }).answer.outcome).toBeUndefined();
  });
});
