import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ANYONE, Principal } from '../inference/principal.js';
import type { InferencePurpose } from '../inference/request.js';
import { decideBatch } from './batcher.js';
import { PendingRequest } from './pending-request.js';
import { RequestQueue } from './request-queue.js';

function pendingOf(purpose: InferencePurpose, enqueuedAtMs: number, principal = ANYONE): PendingRequest {
  const request = {
    id: `${purpose}-${enqueuedAtMs}`,
    principal,
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

  it('keeps callers apart where they are to be, and does not wait for company that may not come', () => {
    const queue = new RequestQueue(10);
    const [one, other, sameNameElsewhere] = [new Principal('token:a', 'x', []), new Principal('token:b', 'x', []), new Principal('token:a', 'y', [])];
    const offered = [one, one, other, sameNameElsewhere].map((principal, n) => pendingOf('predict', n, principal));
    for (const pending of offered) queue.push(pending);
    const sizes: number[] = [];
    for (let n = 0; n < 3; n += 1) {
      const decision = decideBatch(queue, { batchSize: 8, maxBatchDelayMs: 50, onePrincipal: true }, n < 2 ? 10 : 60);
      if (decision.kind !== 'take') break;
      sizes.push(decision.requests.length);
      for (const pending of decision.requests) queue.remove(pending);
    }

    expect(sizes).toEqual([2, 1, 1]);
  });

  it('waits for company until the oldest request has waited its delay', () => {
    const queue = new RequestQueue(10);
    queue.push(pendingOf('predict', 100));

    expect(decideBatch(queue, { batchSize: 2, maxBatchDelayMs: 50 }, 120)).toEqual({ kind: 'wait', untilMs: 150 });
    expect(decideBatch(queue, { batchSize: 2, maxBatchDelayMs: 50 }, 150).kind).toBe('take');
  });
});
