import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aDispatcher, offer, type RecordedAnswer, RecordingLane } from '../../test/fixtures/dispatching.js';
import type { ModelConfig } from '../inference/model-config.js';
import { Principal } from '../inference/principal.js';

const A = { principal: new Principal('token:a', 'a', []) };
const B = { principal: new Principal('token:b', 'b', []) };
const SEQUENCES: Partial<ModelConfig> = { sequenceBatching: true, sequenceMaxIdleMs: 500, maxNumSequence: 3, maxSequenceJobQueueSize: 3 };

type Dispatcher = ReturnType<typeof aDispatcher>;

function flood(dispatcher: Dispatcher, count: number): readonly { answer: RecordedAnswer; id: string }[] {
  return Array.from({ length: count }, () => offer(dispatcher, A));
}

function inSequence(dispatcher: Dispatcher, who: typeof A, sequence: string): { answer: RecordedAnswer; id: string } {
  return offer(dispatcher, { ...who, headers: [['seq_id', sequence]] });
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('TN2 while one tenant floods a model', () => {
  it('another one finds a place and has every second hand-out, and whoever had to leave is told once that the line is full', () => {
    const dispatcher = aDispatcher({ queueSize: 6 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const flooding = flood(dispatcher, 20);

    const others = [offer(dispatcher, B), offer(dispatcher, B), offer(dispatcher, B)];
    for (let n = 0; n < lane.runs.length; n += 1) lane.answer(n, 50);

    expect(others.map(({ answer, id }) => answer.outcome === id)).toEqual([true, true, true]);
    const handed = lane.runs.map((_, n) => lane.ids(n)[0]);
    expect(handed.slice(1)).toEqual([flooding[1]?.id, others[0]?.id, flooding[2]?.id, others[1]?.id, flooding[3]?.id, others[2]?.id]);
    expect(flooding.slice(4).map(({ answer }) => answer.outcome)).toEqual(Array(16).fill('QUEUE_FULL'));
  });

  it('batches hold requests of both, and leave when the oldest of either has waited its delay', () => {
    const dispatcher = aDispatcher({ queueSize: 10, batchSize: 4, maxBatchDelayMs: 100 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    const first = offer(dispatcher, B);
    vi.advanceTimersByTime(60);
    const [second] = flood(dispatcher, 1);
    vi.advanceTimersByTime(39);
    expect(lane.runs).toHaveLength(0);
    vi.advanceTimersByTime(1);

    expect(new Set(lane.ids(0))).toEqual(new Set([first.id, second?.id]));
  });

  it('with sequences, an idle sequence of it ends for another tenant, and no request of anybody is lost', () => {
    const dispatcher = aDispatcher({}, SEQUENCES);
    const lane = new RecordingLane('a', 8);
    dispatcher.laneReady(lane);
    const flooding = ['x', 'y', 'z'].map((sequence) => inSequence(dispatcher, A, sequence));
    for (let n = 0; n < lane.runs.length; n += 1) lane.answer(n, 50);
    expect(inSequence(dispatcher, A, 'w').answer.outcome).toBe('QUEUE_FULL');

    const other = inSequence(dispatcher, B, 'mine');
    for (let n = 3; n < lane.runs.length; n += 1) lane.answer(n, 50);

    expect(flooding.map(({ answer, id }) => answer.outcome === id)).toEqual([true, true, true]);
    expect(other.answer.outcome).toBe(other.id);
  });

  it('with sequences that are all at work, the newest ends for another tenant, and those who waited in it are told', () => {
    const dispatcher = aDispatcher({}, SEQUENCES);
    const lane = new RecordingLane('a', 1);
    dispatcher.laneReady(lane);
    const flooding = ['x', 'y', 'z', 'z'].map((sequence) => inSequence(dispatcher, A, sequence));

    const other = inSequence(dispatcher, B, 'mine');
    for (let n = 0; n < lane.runs.length; n += 1) lane.answer(n, 50);

    expect(other.answer.outcome).toBe(other.id);
    expect(flooding.map(({ answer, id }) => (answer.outcome === id ? 'answered' : answer.outcome))).toEqual([
      'answered',
      'answered',
      'SEQUENCE_ENDED',
      'SEQUENCE_ENDED',
    ]);
  });
});

describe('TN8 a sequence', () => {
  it('is out of reach of another tenant that knows its id, which hears no more than where there is no room', () => {
    const dispatcher = aDispatcher({}, SEQUENCES);
    const lane = new RecordingLane('a', 1);
    dispatcher.laneReady(lane);
    const mine = inSequence(dispatcher, A, 'x');
    lane.answer(0, 50);

    const guessed = inSequence(dispatcher, B, 'x');
    const again = inSequence(dispatcher, A, 'x');
    lane.answer(1, 50);

    expect(guessed.answer.outcome).toBe('QUEUE_FULL');
    expect([mine, again].map(({ answer, id }) => answer.outcome === id)).toEqual([true, true]);
  });
});
