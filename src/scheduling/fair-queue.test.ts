import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anInferenceRequest } from '../../test/fixtures/inference-request.js';
import { Principal } from '../inference/principal.js';
import { FairQueue } from './fair-queue.js';
import { PendingRequest } from './pending-request.js';

let lastId = 0;

function of(tenant: string, enqueuedAtMs = 0): PendingRequest {
  lastId += 1;
  const request = anInferenceRequest({ id: `${tenant} ${lastId}`, principal: new Principal(tenant, tenant, []) });
  return new PendingRequest(request, { part() {}, fail() {} }, enqueuedAtMs);
}

function heldBy(queue: FairQueue): Record<string, number> {
  const held: Record<string, number> = {};
  for (const { request } of queue) held[request.principal.tenant] = (held[request.principal.tenant] ?? 0) + 1;
  return held;
}

describe('a full line that tenants share', () => {
  const WEIGHTS: Record<string, number> = { a: 1, b: 1, c: 2, d: 1.25 };
  const weightOf = (tenant: string) => WEIGHTS[tenant] ?? 1;

  it('has a place for every tenant within its part, never holds more than its capacity, and gives back whoever left for another', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.constantFrom('a', 'a', 'a', 'b', 'c', 'd') },
      { weight: 1, arbitrary: fc.constant('serve' as const) },
      { weight: 1, arbitrary: fc.constant('lost' as const) },
    );
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 80 }), (capacity, steps) => {
        const queue = new FairQueue(capacity, weightOf);
        const inside = new Set<PendingRequest>();
        let returned = 0;

        for (const one of steps) {
          if (one === 'serve' || one === 'lost') {
            const next = queue.first();
            if (next === undefined) continue;
            queue.sent(next);
            inside.delete(next);
            if (returned > 0) returned -= 1;
            if (one === 'serve') continue;
            queue.putBack(next);
            inside.add(next);
            returned += 1;
            continue;
          }
          const before = heldBy(queue);
          const isFull = queue.length >= capacity;
          const pending = of(one);
          const outcome = queue.push(pending);

          if (!isFull) expect(outcome).toBe('taken');
          if (outcome !== 'full') inside.add(pending);
          if (typeof outcome !== 'string') {
            expect(inside.delete(outcome)).toBe(true);
            expect(outcome.request.principal.tenant).not.toBe(one);
          }
          if (outcome === 'full' && returned === 0) {
            const weights = [...new Set([...Object.keys(before), one])].map(weightOf).reduce((sum, weight) => sum + weight, 0);
            expect((before[one] ?? 0) + 1).toBeGreaterThan((capacity * weightOf(one)) / weights);
          }
          expect(new Set(queue)).toEqual(inside);
          expect(queue.length).toBeLessThanOrEqual(capacity + returned);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the order of arrival and refuses the newcomer where one tenant has it alone', () => {
    const queue = new FairQueue(2, weightOf);
    const [first, second, third] = [of('a'), of('a'), of('a')];

    expect([queue.push(first), queue.push(second), queue.push(third)]).toEqual(['taken', 'taken', 'full']);
    expect([...queue]).toEqual([first, second]);
  });

  it('never makes a request leave that was put back, though its tenant holds most', () => {
    const queue = new FairQueue(3, weightOf);
    const flood = [of('a'), of('a'), of('a')];
    for (const pending of flood) queue.push(pending);
    for (const pending of flood) queue.sent(pending);
    for (const pending of flood) queue.putBack(pending);

    expect(queue.push(of('b'))).toBe('full');
    expect([...queue]).toEqual(flood);
  });

  it('tells of the one that has waited longest, whoever goes next', () => {
    const queue = new FairQueue(10, weightOf);
    const [late, early] = [of('a', 20), of('b', 10)];
    queue.push(late);
    queue.push(early);

    expect(queue.first()).toBe(late);
    expect(queue.oldest()).toBe(early);
  });
});
