import fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { aRun } from '../../test/fixtures/workflow-runs.js';
import { HandlerFailed } from '../errors/backend.js';
import { DeadlineExceeded, Draining, QueueFull } from '../errors/scheduling.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** Steps lead from lower to higher numbers, and each node but the first has a step to it: one start, no circle. */
const GRAPH = fc.array(fc.uniqueArray(fc.nat(30), { minLength: 1, maxLength: 3 }), { minLength: 0, maxLength: 12 }).map((parents) => {
  const edges = new Map<number, Set<number>>([[0, new Set()]]);
  parents.forEach((before, index) => {
    const node = index + 1;
    edges.set(node, new Set());
    for (const parent of before) edges.get(parent % node)?.add(node);
  });
  return [...edges].map(([node, next]) => `  f${node}: [${[...next].map((to) => `f${to}`).join(', ')}]\n`).join('');
});

const EVENT = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('answer' as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('part' as const), which: fc.nat(20) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('fail' as const), which: fc.nat(20), how: fc.constantFrom('fault', 'late', 'full', 'draining') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 30, 2000) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'hang-up' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'stop' as const }) },
);

const FAILURES = {
  fault: HandlerFailed({ status: 503, message: 'Prediction failed' }),
  late: DeadlineExceeded({ model: 'w', afterMs: 1 }),
  full: QueueFull({ model: 'w' }),
  draining: Draining({}),
} as const;

it('every run is answered exactly once, whatever its nodes, its client and the server do; afterwards nothing is asked, and nothing waits', () => {
  fc.assert(
    fc.property(GRAPH, fc.array(EVENT, { maxLength: 60 }), fc.constantFrom(undefined, 500), fc.nat(2), (dag, events, deadlineMs, retries) => {
      const spec = `models: {retry-attempts: ${retries}}\ndag:\n${dag}`;
      const world = aRun({ spec, request: deadlineMs === undefined ? {} : { deadlineAtMs: performance.now() + deadlineMs } });
      const { run, asked, answer, client, ended } = world;
      const isOver = () => answer.outcome !== undefined;
      const open = new Set<number>();
      const seen = () => {
        for (let i = 0; i < asked.length; i++) if (!closed.has(i)) open.add(i);
      };
      const closed = new Set<number>();
      const one = (which: number): number | undefined => {
        seen();
        return [...open][which % Math.max(1, open.size)];
      };
      const close = (index: number) => {
        open.delete(index);
        closed.add(index);
      };

      run.start();
      for (const event of events) {
        const before = asked.length;
        const wasOver = isOver();
        if (event.do === 'wait') vi.advanceTimersByTime(event.ms);
        else if (event.do === 'hang-up') client.abort();
        else if (event.do === 'stop') run.stop(Draining({}));
        else {
          const index = one(event.which);
          if (index === undefined) continue;
          if (event.do === 'part') asked[index]?.says('', { last: false });
          else if (event.do === 'answer') asked[index]?.says('{}');
          else asked[index]?.fails(FAILURES[event.how as keyof typeof FAILURES]);
          if (event.do !== 'part') close(index);
        }
        seen();
        if (wasOver) expect(asked.length).toBe(before);
        expect(open.size <= 8 || isOver()).toBe(true);
      }
      // Nodes that answer bring it to its end.
      for (let round = 0; round < 200 && !isOver(); round++) {
        const index = one(0);
        if (index === undefined) vi.advanceTimersByTime(1000);
        else {
          asked[index]?.says('{}');
          close(index);
        }
      }
      const askedAtTheEnd = asked.length;
      vi.advanceTimersByTime(10_000);

      expect(answer.failures.length + answer.parts.length).toBe(1);
      expect([ended, asked.length, vi.getTimerCount()]).toEqual([[run], askedAtTheEnd, 0]);
    }),
    { numRuns: 300 },
  );
});
