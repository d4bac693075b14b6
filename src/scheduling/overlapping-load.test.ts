import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aDispatcher, aPart, offer, RecordingLane } from '../../test/fixtures/dispatching.js';

const ASYNC = { asyncCommunication: true };

function aLane(dispatcher: ReturnType<typeof aDispatcher>): RecordingLane {
  const lane = new RecordingLane('a', 3);
  dispatcher.laneReady(lane);
  return lane;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a lane whose batches overlap', () => {
  it('takes as many as it may hold at once, and each end makes room, whatever the order', () => {
    const dispatcher = aDispatcher({ queueSize: 10 }, ASYNC);
    const lane = aLane(dispatcher);

    const offered = Array.from({ length: 5 }, () => offer(dispatcher));
    expect(lane.runs.length).toBe(3);
    lane.answer(2);
    expect(offered[2]?.answer.outcome).toBe(offered[2]?.id);
    expect(lane.runs.length).toBe(4);
    for (const n of [3, 1, 4, 0]) lane.answer(n);

    expect(offered.map(({ answer, id }) => answer.outcome === id)).toEqual([true, true, true, true, true]);
  });

  it('answers a request that is late, cancels it, and leaves the others alone', () => {
    const dispatcher = aDispatcher({}, ASYNC);
    const lane = aLane(dispatcher);
    const late = offer(dispatcher);
    vi.advanceTimersByTime(600);
    const other = offer(dispatcher);

    vi.advanceTimersByTime(400);
    expect(late.answer.outcome).toBe('RESPONSE_TIMEOUT');
    expect(lane.cancelled).toEqual([late.id]);
    lane.runs[0]?.sink.done(1);
    lane.answer(1);
    vi.advanceTimersByTime(10_000);

    expect(other.answer.outcome).toBe(other.id);
    expect(lane.timeouts).toBe(0);
  });

  it('goes when a late request does not end even then', () => {
    const dispatcher = aDispatcher({}, ASYNC);
    const lane = aLane(dispatcher);
    offer(dispatcher);

    vi.advanceTimersByTime(2_000);

    expect(lane.timeouts).toBe(1);
  });

  it('leaves a request whose client goes at the last moment as long to end as one that is late', () => {
    const dispatcher = aDispatcher({}, ASYNC);
    const lane = aLane(dispatcher);
    const client = new AbortController();
    offer(dispatcher, { cancelled: client.signal });
    vi.advanceTimersByTime(500);
    const other = offer(dispatcher);

    vi.advanceTimersByTime(499);
    client.abort();
    vi.advanceTimersByTime(100);
    lane.runs[0]?.sink.done(1);
    lane.answer(1);

    expect(lane.timeouts).toBe(0);
    expect(other.answer.outcome).toBe(other.id);
  });

  it('gives a stream its whole time-out again with every part', () => {
    const dispatcher = aDispatcher({}, ASYNC);
    const lane = aLane(dispatcher);
    const { answer, id } = offer(dispatcher);

    for (let n = 0; n < 3; n += 1) {
      vi.advanceTimersByTime(900);
      lane.runs[0]?.sink.part(0, aPart('.', false));
    }
    lane.answer(0);

    expect(answer.outcome).toBe(id);
    expect(lane.cancelled).toEqual([]);
  });

  it('cancels a request whose client has gone, and one whose deadline has passed', () => {
    const dispatcher = aDispatcher({}, ASYNC);
    const lane = aLane(dispatcher);
    const client = new AbortController();
    const gone = offer(dispatcher, { cancelled: client.signal });
    const late = offer(dispatcher, { deadlineAtMs: performance.now() + 50 });

    client.abort();
    vi.advanceTimersByTime(50);

    expect(lane.cancelled).toEqual([gone.id, late.id]);
    expect([gone, late].map(({ answer }) => answer.outcome)).toEqual(['REQUEST_CANCELLED', 'DEADLINE_EXCEEDED']);
  });

  it('that is lost fails all that it held at once', () => {
    const dispatcher = aDispatcher({ queueSize: 10 }, ASYNC);
    const lane = aLane(dispatcher);
    const offered = Array.from({ length: 4 }, () => offer(dispatcher));

    dispatcher.laneLost(lane, { outOfMemory: false });
    const successor = new RecordingLane('b', 3);
    dispatcher.laneReady(successor);
    successor.answer(0);

    expect(offered.slice(0, 3).map(({ answer }) => answer.outcome)).toEqual(['WORKER_DIED', 'WORKER_DIED', 'WORKER_DIED']);
    expect(offered[3]?.answer.outcome).toBe(offered[3]?.id);
  });

  it('has a ticket for each request that it may still hold', () => {
    const dispatcher = aDispatcher({ useJobTicket: true }, ASYNC);
    aLane(dispatcher);

    const outcomes = Array.from({ length: 4 }, () => offer(dispatcher).answer.outcome);

    expect(outcomes).toEqual([undefined, undefined, undefined, 'QUEUE_FULL']);
  });
});
