import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ANYONE } from '../inference/principal.js';
import type { InferencePurpose } from '../inference/request.js';
import { decideBatch } from './batcher.js';
import { PendingRequest } from './pending-request.js';
import { RequestQueue } from './request-queue.js';

function pendingOf(purpose: InferencePurpose, enqueuedAtMs: number): PendingRequest {
  const request = {
    id: `${purpose}-${enqueuedAtMs}`,
    principal: ANYONE,
    model: 'm',
    version: undefined,
    purpose,
    headers: [],
    inputs: [],
    receivedAtMs: enqueuedAtMs,
    deadlineAtMs: undefined,
    cancelled: new AbortController().signal,
  };
  return new PendingRequest(request, { part() {}, fail() {} }, enqueuedAtMs);
}

describe('batch forming', () => {
  it('takes every request exactly once, in order, in batches of one purpose and at most the batch size', () => {
    const purposes = fc.array(fc.constantFrom<InferencePurpose>('predict', 'explain', 'describe'), { maxLength: 40 });
    fc.assert(
      fc.property(purposes, fc.integer({ min: 1, max: 8 }), (wished, batchSize) => {
        const queue = new RequestQueue(100);
        const offered = wished.map((purpose, index) => pendingOf(purpose, index));
        for (const pending of offered) queue.push(pending);
        const taken: PendingRequest[] = [];
        for (;;) {
          const decision = decideBatch(queue, { batchSize, maxBatchDelayMs: 0 }, 1_000);
          if (decision.kind !== 'take') break;
          expect(decision.requests.length).toBeGreaterThan(0);
          expect(decision.requests.length).toBeLessThanOrEqual(batchSize);
          expect(new Set(decision.requests.map((pending) => pending.request.purpose)).size).toBe(1);
          if (decision.requests[0]?.alone) expect(decision.requests.length).toBe(1);
          for (const pending of decision.requests) queue.remove(pending);
          taken.push(...decision.requests);
        }
        expect(taken).toEqual(offered);
      }),
    );
  });

  it('waits for company until the oldest request has waited its delay', () => {
    const queue = new RequestQueue(10);
    queue.push(pendingOf('predict', 100));

    expect(decideBatch(queue, { batchSize: 2, maxBatchDelayMs: 50 }, 120)).toEqual({ kind: 'wait', untilMs: 150 });
    expect(decideBatch(queue, { batchSize: 2, maxBatchDelayMs: 50 }, 150).kind).toBe('take');
  });
});
