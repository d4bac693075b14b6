import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aBatch, Story } from '../../../test/fixtures/python-workers.js';
import { BatchesInFlight } from './batches-in-flight.js';
import type { WirePart } from './frames.js';

const LIMIT_BYTES = 100;

function answer(batchId: number, index = 0) {
  const part: WirePart = { index, last: true, status: 200, phrase: '', headers: [], body: Buffer.from('answer') };
  return { kind: 'parts', batchId, final: true, handlerMicros: 1000, parts: [part] } as const;
}

function failure(batchId: number) {
  return { kind: 'batch-error', batchId, code: 503, message: 'Prediction failed', handlerMicros: 1000 } as const;
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a batch that a group of three computes', () => {
  function given() {
    const batches = new BatchesInFlight(LIMIT_BYTES, 3, false);
    const story = new Story();
    return { batches, story, id: batches.add(aBatch({}), story) };
  }

  it('is answered as soon as rank 0 has answered, and over when all have computed it', () => {
    const { batches, story, id } = given();

    expect(batches.parts(answer(id))).toBeUndefined();
    expect([story.parts.map(({ text }) => text), story.ended]).toEqual([['answer'], false]);
    expect(batches.computed(id, 2)).toBeUndefined();
    expect([story.ended, batches.count]).toEqual([false, 1]);
    expect(batches.computed(id, 1)).toBeUndefined();

    expect([story.ended, batches.count]).toEqual([true, 0]);
  });

  it('that failed is told of when all have done, for a rank that dies makes the others fail', () => {
    const { batches, story, id } = given();

    batches.error(failure(id));
    batches.computed(id, 1);
    expect([story.failures, story.ended]).toEqual([[], false]);
    batches.computed(id, 2);

    expect(story.failures.map(({ error }) => error.message)).toEqual(['Prediction failed']);
    expect(story.ended).toBe(true);
  });

  it('that failed is told of after a moment when the others go on computing', () => {
    const { batches, story, id } = given();

    batches.error(failure(id));
    vi.runAllTimers();

    expect(story.failures).toHaveLength(1);
    expect([story.ended, batches.count]).toEqual([false, 1]);
    expect(batches.error(failure(id))).toBe('nonsense');
  });

  it('that failed because the group has ended is not told of', () => {
    const { batches, story, id } = given();

    batches.error(failure(id));
    batches.forget();
    vi.runAllTimers();

    expect([story.failures, story.ended, batches.count]).toEqual([[], false, 0]);
  });

  it.each([
    ['by rank 0, which answers instead', 0],
    ['by a rank that there is not', 3],
  ])('cannot be computed %s', (_, rank) => {
    const { batches, id } = given();

    expect(batches.computed(id, rank)).toBe('nonsense');
    expect(batches.computed(id + 1, 1)).toBe('nonsense');
  });

  it('is computed once by each rank', () => {
    const { batches, id } = given();

    batches.computed(id, 1);

    expect(batches.computed(id, 1)).toBe('nonsense');
  });
});

it('a batch of a worker alone that failed is told of at once', () => {
  const batches = new BatchesInFlight(LIMIT_BYTES, 1, false);
  const story = new Story();

  batches.error(failure(batches.add(aBatch({}), story)));

  expect([story.failures.length, story.ended]).toEqual([1, true]);
});
