import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aDispatcher, aPart, offer, RecordingLane, SEQUENCE_HEADERS } from '../../test/fixtures/dispatching.js';
import type { ModelConfig } from '../inference/model-config.js';
import type { HeaderPair } from '../inference/request.js';

const SEQUENCES: Partial<ModelConfig> = { sequenceBatching: true, sequenceMaxIdleMs: 500, maxNumSequence: 4, maxSequenceJobQueueSize: 3 };

function of(id: string, ...more: readonly HeaderPair[]): { headers: readonly HeaderPair[] } {
  return { headers: [['seq_id', id], ...more] };
}

function twoLanes() {
  return [new RecordingLane('a'), new RecordingLane('b')] as const;
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('sequences', () => {
  it('stay on the lane that took them, in order, the next request only when the one before is through', () => {
    const dispatcher = aDispatcher({}, SEQUENCES, 2);
    const [a, b] = twoLanes();
    dispatcher.laneReady(a);
    dispatcher.laneReady(b);

    const [x1, y1, x2] = [offer(dispatcher, of('x')), offer(dispatcher, of('y')), offer(dispatcher, of('x'))];
    expect([a.runs.length, b.runs.length]).toEqual([1, 1]);
    b.answer(0, 50);
    expect(b.runs.length).toBe(1);
    a.answer(0, 50);
    a.answer(1, 50);

    expect(a.runs.map((_, n) => a.ids(n))).toEqual([[x1.id], [x2.id]]);
    expect([x1, y1, x2].map(({ answer, id }) => answer.outcome === id)).toEqual([true, true, true]);
  });

  it('share batches, at most one request of each', () => {
    const dispatcher = aDispatcher({ batchSize: 4 }, SEQUENCES);
    const lane = new RecordingLane('a');
    const ids = ['x', 'x', 'y', 'z', 'y'].map((id) => offer(dispatcher, of(id)).id);

    dispatcher.laneReady(lane);
    vi.advanceTimersByTime(100);
    lane.answer(0, 50);
    vi.advanceTimersByTime(100);

    expect(lane.ids(0)).toEqual([ids[0], ids[2], ids[3]]);
    expect(lane.ids(1)).toEqual([ids[1], ids[4]]);
  });

  it('that a client names nowhere get an id nobody can guess and the start header', () => {
    const dispatcher = aDispatcher({}, SEQUENCES);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    offer(dispatcher, { headers: [['x', '1']] });
    offer(dispatcher, of(''));
    lane.answer(0, 50);

    const [first, second] = lane.runs.map((run) => new Map(run.batch.requests[0]?.headers));
    expect(first?.get(SEQUENCE_HEADERS.start)).toBe('true');
    expect(first?.get('seq_id')).toMatch(/^ts-seq-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(second?.get('seq_id')).toMatch(/^ts-seq-/);
    expect(second?.get('seq_id')).not.toBe(first?.get('seq_id'));
    expect(first?.get('x')).toBe('1');
  });

  it('are found whatever the case of the header, and the handler finds the id under the configured name', () => {
    const dispatcher = aDispatcher({}, SEQUENCES);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    offer(dispatcher, { headers: [['SEQ_ID', 'x']] });
    offer(dispatcher, of('x'));

    expect(lane.runs.length).toBe(1);
    expect(lane.runs[0]?.batch.requests[0]?.headers).toEqual([['seq_id', 'x']]);
  });

  it('beyond the number that may live are refused, and so are requests beyond the queue of one', () => {
    const dispatcher = aDispatcher({}, SEQUENCES);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    const opened = ['w', 'x', 'y', 'z'].map((id) => offer(dispatcher, of(id)));
    const fifth = offer(dispatcher, of('fifth'));
    const queued = Array.from({ length: 4 }, () => offer(dispatcher, of('w')));

    expect(fifth.answer.outcome).toBe('QUEUE_FULL');
    expect(opened.every(({ answer }) => answer.outcome === undefined)).toBe(true);
    expect(queued.map(({ answer }) => answer.outcome)).toEqual([undefined, undefined, undefined, 'QUEUE_FULL']);
  });

  it('that are idle for too long make room for others', () => {
    const dispatcher = aDispatcher({}, { ...SEQUENCES, maxNumSequence: 1 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    offer(dispatcher, of('x'));
    lane.answer(0, 50);

    vi.advanceTimersByTime(499);
    expect(offer(dispatcher, of('y')).answer.outcome).toBe('QUEUE_FULL');
    vi.advanceTimersByTime(1);

    expect(offer(dispatcher, of('y')).answer.outcome).toBeUndefined();
    expect(lane.runs.length).toBe(2);
  });

  it('are not idle while a request of theirs runs or waits', () => {
    const dispatcher = aDispatcher({ responseTimeoutMs: 60_000 }, { ...SEQUENCES, maxNumSequence: 1 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    offer(dispatcher, of('x'));

    vi.advanceTimersByTime(5_000);

    expect(offer(dispatcher, of('y')).answer.outcome).toBe('QUEUE_FULL');
  });

  it('end with their time: what runs is answered, what waits is refused, and the id is free again', () => {
    const dispatcher = aDispatcher({ responseTimeoutMs: 60_000 }, { ...SEQUENCES, sequenceTimeoutMs: 2_000 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const running = offer(dispatcher, of('x'));
    const waiting = offer(dispatcher, of('x'));

    vi.advanceTimersByTime(2_000);
    lane.answer(0, 50);
    offer(dispatcher, of('x'));

    expect(waiting.answer.outcome).toBe('SEQUENCE_ENDED');
    expect(waiting.answer.failures[0]?.rendering.http).toBe(503);
    expect(running.answer.outcome).toBe(running.id);
    expect(lane.runs.length).toBe(2);
  });

  it('end with the request that says so', () => {
    const dispatcher = aDispatcher({}, { ...SEQUENCES, maxNumSequence: 1 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const last = offer(dispatcher, of('x', ['seq_end', 'true']));
    const behind = offer(dispatcher, of('x'));

    lane.answer(0, 50);

    expect([last.answer.outcome, behind.answer.outcome]).toEqual([last.id, 'SEQUENCE_ENDED']);
    expect(offer(dispatcher, of('y')).answer.outcome).toBeUndefined();
    expect(lane.runs.length).toBe(2);
  });

  it('end when the handler names them, several at once', () => {
    const dispatcher = aDispatcher({ batchSize: 2 }, { ...SEQUENCES, maxNumSequence: 2 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    offer(dispatcher, of('x'));
    offer(dispatcher, of('y'));

    lane.runs[0]?.sink.part(0, { ...aPart('end of both'), headers: [['Seq_End', 'x; y;never']] });
    lane.runs[0]?.sink.part(1, aPart('y'));
    lane.runs[0]?.sink.done(50);

    expect(['v', 'w'].map((id) => offer(dispatcher, of(id)).answer.outcome)).toEqual([undefined, undefined]);
  });

  it('are spread over the lanes by number, each lane to its share', () => {
    const dispatcher = aDispatcher({}, { ...SEQUENCES, maxNumSequence: 5 }, 2);
    const [a, b] = twoLanes();
    dispatcher.laneReady(a);
    const answers = ['1', '2', '3', '4', '5'].map((id) => offer(dispatcher, of(id)).answer);
    for (let n = 0; n < 5; n += 1) a.answer(n, 50);
    expect(a.runs.length).toBe(3);

    dispatcher.laneReady(b);
    for (let n = 0; n < 5; n += 1) b.answer(n, 50);

    expect(b.runs.length).toBe(2);
    expect(answers.every((answer) => answer.parts.length === 1)).toBe(true);
  });

  it('take turns on lanes that have as many: one that begins anew is not where its old state is', () => {
    const dispatcher = aDispatcher({}, SEQUENCES, 2);
    const [a, b] = twoLanes();
    dispatcher.laneReady(a);
    dispatcher.laneReady(b);
    offer(dispatcher, of('x'));
    a.answer(0, 50);

    vi.advanceTimersByTime(500);
    offer(dispatcher, of('x'));

    expect([a.runs.length, b.runs.length]).toEqual([1, 1]);
  });

  it('of which a lost worker held state end with it: nothing of theirs runs where that state is not', () => {
    const dispatcher = aDispatcher({}, SEQUENCES);
    const first = new RecordingLane('a');
    dispatcher.laneReady(first);
    const answered = offer(dispatcher, of('x'));
    first.answer(0, 50);
    const running = offer(dispatcher, of('x'));
    const waiting = offer(dispatcher, of('x'));

    dispatcher.laneLost(first, { outOfMemory: false });
    const second = new RecordingLane('b');
    dispatcher.laneReady(second);
    const again = offer(dispatcher, of('x'));
    second.answer(0, 50);

    expect([answered, running, waiting].map(({ answer }) => answer.outcome)).toEqual([answered.id, 'WORKER_DIED', 'WORKER_DIED']);
    expect(second.runs.map((_, n) => second.ids(n))).toEqual([[again.id]]);
  });

  it('of which no worker knows yet go on elsewhere when a worker is lost, the one it was at first', () => {
    const dispatcher = aDispatcher({}, SEQUENCES);
    const first = new RecordingLane('a');
    dispatcher.laneReady(first);
    const ids = ['x', 'x', 'y'].map((id) => offer(dispatcher, of(id)).id);

    dispatcher.laneLost(first, { outOfMemory: false });
    const second = new RecordingLane('b');
    dispatcher.laneReady(second);
    for (let n = 0; n < 3; n += 1) second.answer(n, 50);

    expect(second.runs.map((_, n) => second.ids(n)).sort()).toEqual(ids.map((id) => [id]).sort());
    expect(second.ids(0)).not.toEqual([ids[1]]);
  });

  it('of a lane that leaves are served as far as they wait, and new ones go elsewhere', async () => {
    const dispatcher = aDispatcher({}, SEQUENCES, 2);
    const [a, b] = twoLanes();
    dispatcher.laneReady(a);
    const mine = [offer(dispatcher, of('x')), offer(dispatcher, of('x'))];
    dispatcher.laneReady(b);

    const left = dispatcher.laneLeaving(a);
    const fresh = offer(dispatcher, of('y'));
    a.answer(0, 50);
    a.answer(1, 50);
    b.answer(0, 50);
    await left;
    offer(dispatcher, of('x'));

    expect([...mine, fresh].map(({ answer, id }) => answer.outcome === id)).toEqual([true, true, true]);
    expect(b.runs.length).toBe(2);
  });

  it('let a lane leave when the last request that waits for it is given up', async () => {
    const dispatcher = aDispatcher({ batchSize: 2 }, SEQUENCES);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const client = new AbortController();
    offer(dispatcher, { ...of('x'), cancelled: client.signal });

    const left = dispatcher.laneLeaving(lane);
    client.abort();

    await expect(left).resolves.toBeUndefined();
    expect(lane.runs.length).toBe(0);
  });

  it('leave a describe request alone: it belongs to none', () => {
    const dispatcher = aDispatcher({ batchSize: 2 }, SEQUENCES);
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    offer(dispatcher, of('x'));

    const { answer, id } = offer(dispatcher, { purpose: 'describe' });
    lane.answer(0, 50);

    expect(answer.outcome).toBe(id);
  });

  it('with job tickets take a request only when nothing of theirs is in its way', () => {
    const dispatcher = aDispatcher({ useJobTicket: true }, SEQUENCES, 2);
    const [a, b] = twoLanes();
    dispatcher.laneReady(a);
    dispatcher.laneReady(b);
    offer(dispatcher, of('x'));

    expect(offer(dispatcher, of('x')).answer.outcome).toBe('QUEUE_FULL');
    expect(offer(dispatcher, of('y')).answer.outcome).toBeUndefined();
  });
});
