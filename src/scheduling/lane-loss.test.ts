import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aDispatcher, aPart, offer, RecordingLane } from '../../test/fixtures/dispatching.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a dispatcher whose lanes come and go', () => {
  it('tries the requests of a dead worker once more, each alone', () => {
    const dispatcher = aDispatcher({ batchSize: 2 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const a = offer(dispatcher);
    const b = offer(dispatcher);

    dispatcher.laneLost(lane, { outOfMemory: false });
    const successor = new RecordingLane('b');
    dispatcher.laneReady(successor);
    successor.answer(0, 50);
    successor.answer(1, 50);

    expect(successor.runs.map((_, n) => successor.ids(n))).toEqual([[a.id], [b.id]]);
    expect([a.answer.outcome, b.answer.outcome]).toEqual([a.id, b.id]);
  });

  it('fails only the request that was in flight at two deaths', () => {
    const dispatcher = aDispatcher({ batchSize: 2 });
    const first = new RecordingLane('a');
    dispatcher.laneReady(first);
    const poison = offer(dispatcher);
    const mate = offer(dispatcher);
    dispatcher.laneLost(first, { outOfMemory: false });
    const second = new RecordingLane('b');
    dispatcher.laneReady(second);
    dispatcher.laneLost(second, { outOfMemory: true });
    const third = new RecordingLane('c');
    dispatcher.laneReady(third);
    third.answer(0);

    expect(poison.answer.outcome).toBe('WORKER_DIED');
    expect(poison.answer.failures[0]?.rendering.http).toBe(507);
    expect(mate.answer.outcome).toBe(mate.id);
  });

  it('fails the requests of a dead worker at once where retrying is off', () => {
    const dispatcher = aDispatcher({ retryOnWorkerDeath: false });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const { answer } = offer(dispatcher);

    dispatcher.laneLost(lane, { outOfMemory: false });

    expect(answer.outcome).toBe('WORKER_DIED');
  });

  it('does not try again what has begun to stream', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const { answer } = offer(dispatcher);
    lane.runs[0]?.sink.part(0, aPart('half', false));

    dispatcher.laneLost(lane, { outOfMemory: false });

    expect(answer.outcome).toBe('WORKER_DIED');
  });

  it('counts no death against a batch that merely waited in the pipe of the dead worker', () => {
    const dispatcher = aDispatcher({ queueSize: 10 });
    const lane = new RecordingLane('a', 2);
    dispatcher.laneReady(lane);
    offer(dispatcher);
    lane.answer(0, 1);
    const ran = offer(dispatcher);
    const waited = offer(dispatcher);
    expect(lane.runs.length).toBe(3);

    dispatcher.laneLost(lane, { outOfMemory: false });
    const second = new RecordingLane('b');
    dispatcher.laneReady(second);
    dispatcher.laneLost(second, { outOfMemory: false });
    const third = new RecordingLane('c');
    dispatcher.laneReady(third);
    third.answer(0);

    expect(ran.answer.outcome).toBe('WORKER_DIED');
    expect(waited.answer.outcome).toBe(waited.id);
  });

  it('answers a batch that takes too long and asks for the worker to be replaced; what waited behind it runs elsewhere', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const slow = offer(dispatcher);
    const next = offer(dispatcher);

    vi.advanceTimersByTime(1000);
    dispatcher.laneLost(lane, { outOfMemory: false });
    const successor = new RecordingLane('b');
    dispatcher.laneReady(successor);
    successor.answer(0);

    expect(lane.timeouts).toBe(1);
    expect(slow.answer.outcome).toBe('RESPONSE_TIMEOUT');
    expect(next.answer.outcome).toBe(next.id);
  });

  it('gives a leaving lane nothing new and tells when it is empty', async () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const running = offer(dispatcher);
    const left = dispatcher.laneLeaving(lane);
    const later = offer(dispatcher);

    lane.answer(0);
    await left;

    expect(running.answer.outcome).toBe(running.id);
    expect(lane.runs.length).toBe(1);
    expect(later.answer.outcome).toBeUndefined();
  });

  it('drains: refuses what is new, answers what was accepted', async () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const running = offer(dispatcher);
    const waiting = offer(dispatcher);
    const drained = dispatcher.drain(new AbortController().signal);
    const late = offer(dispatcher);

    lane.answer(0, 50);
    lane.answer(1, 50);
    await drained;

    expect([running.answer.outcome, waiting.answer.outcome, late.answer.outcome]).toEqual([running.id, waiting.id, 'DRAINING']);
  });

  it('answers the rest as draining when the time for it is over', async () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const running = offer(dispatcher);
    const waiting = offer(dispatcher);

    await dispatcher.drain(AbortSignal.abort());

    expect([running.answer.outcome, waiting.answer.outcome]).toEqual(['DRAINING', 'DRAINING']);
  });
});
