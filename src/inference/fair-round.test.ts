import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairRound } from './fair-round.js';
import type { WeightOf } from './fair-share.js';

const TENANTS = ['a', 'b', 'c'] as const;
const WEIGHTS = fc.record({ a: fc.constantFrom(1, 1.5, 2, 5), b: fc.constantFrom(1, 3), c: fc.constantFrom(1, 1.25) });

/** Items are `tenant number`, numbered in the order of arrival. */
const tenantOf = (item: string) => item.slice(0, 1);

function weights(of: Readonly<Record<string, number>>): WeightOf {
  return (tenant) => of[tenant] ?? 1;
}

describe('a fair round', () => {
  it('hands out, between tenants that all wait, by their weights: within one turn at any moment', () => {
    fc.assert(
      fc.property(WEIGHTS, fc.integer({ min: 1, max: 120 }), (of, handouts) => {
        const round = new FairRound<string>(weights(of));
        for (const tenant of TENANTS) for (let n = 0; n < 200; n += 1) round.add(tenant, `${tenant} ${n}`);
        const served = { a: 0, b: 0, c: 0 };

        for (let n = 0; n < handouts; n += 1) {
          const item = round.first() ?? '';
          expect(round.serve(tenantOf(item), item)).toBe(true);
          served[tenantOf(item) as 'a'] += 1;
          for (const one of TENANTS)
            for (const other of TENANTS) expect(served[one] / of[one] - served[other] / of[other]).toBeLessThanOrEqual(1 + 1 / of[one] + 1 / of[other]);
        }
      }),
    );
  });

  it('lets nobody starve: whoever waits first of its tenant goes within one turn of all others', () => {
    fc.assert(
      fc.property(WEIGHTS, fc.integer({ min: 0, max: 40 }), (of, before) => {
        const round = new FairRound<string>(weights(of));
        for (let n = 0; n < 400; n += 1) round.add('a', `a ${n}`);
        for (let n = 0; n < 400; n += 1) round.add('b', `b ${n}`);
        const serve = () => {
          const item = round.first() ?? '';
          round.serve(tenantOf(item), item);
          return item;
        };
        for (let n = 0; n < before; n += 1) serve();

        round.add('c', 'c 0');
        let waited = 0;
        while (serve() !== 'c 0') waited += 1;

        expect(waited).toBeLessThanOrEqual(Math.ceil(of.a) + Math.ceil(of.b) + 2);
      }),
    );
  });

  it('goes in the order that iteration shows, however many come and leave in between, and in the order of arrival within a tenant', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), tenant: fc.constantFrom(...TENANTS), many: fc.integer({ min: 1, max: 5 }) }) },
      { weight: 4, arbitrary: fc.record({ do: fc.constant('serve' as const), many: fc.integer({ min: 1, max: 6 }) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('delete' as const), nth: fc.nat(20) }) },
    );
    fc.assert(
      fc.property(WEIGHTS, fc.array(step, { maxLength: 60 }), (of, steps) => {
        const round = new FairRound<string>(weights(of));
        const waiting = new Set<string>();
        const lastServed = new Map<string, number>();
        let added = 0;

        for (const one of steps) {
          if (one.do === 'add')
            for (let n = 0; n < one.many; n += 1) {
              added += 1;
              waiting.add(`${one.tenant} ${added}`);
              round.add(one.tenant, `${one.tenant} ${added}`);
            }
          if (one.do === 'delete') {
            const item = [...waiting][one.nth];
            if (item !== undefined) expect(round.delete(tenantOf(item), item) && waiting.delete(item)).toBe(true);
          }
          if (one.do === 'serve') {
            const shown = [...round].slice(0, one.many);
            for (const item of shown) {
              expect(round.first()).toBe(item);
              expect(round.serve(tenantOf(item), item) && waiting.delete(item)).toBe(true);
              const number = Number(item.slice(2));
              expect(number).toBeGreaterThan(lastServed.get(tenantOf(item)) ?? 0);
              lastServed.set(tenantOf(item), number);
            }
          }
          expect(round.size).toBe(waiting.size);
          expect(new Set(round)).toEqual(waiting);
        }
      }),
    );
  });

  it('holds nobody who has gone', async () => {
    setFlagsFromString('--expose-gc');
    const round = new FairRound<object>(() => 1);
    const gone = (() => {
      const [one, other] = [{}, {}];
      for (const item of [one, other]) round.add('a', item);
      round.roomFor('b');
      for (const item of [one, other]) round.serve('a', item);
      return [new WeakRef(one), new WeakRef(other)];
    })();

    await new Promise((resolve) => setImmediate(resolve));
    runInNewContext('gc')();

    expect(gone.map((item) => item.deref())).toEqual([undefined, undefined]);
  });

  it('is the order of arrival where one tenant waits alone', () => {
    const round = new FairRound<string>(() => 3);
    for (const item of ['a 1', 'a 2', 'a 3', 'a 4']) round.add('a', item);

    expect([...round]).toEqual(['a 1', 'a 2', 'a 3', 'a 4']);
    expect(round.roomFor('a')).toBeUndefined();
  });

  it('finds room for a tenant below its part at the newest of the one furthest above', () => {
    const round = new FairRound<string>(weights({ a: 1, b: 4 }));
    for (const item of ['a 1', 'a 2', 'b 3', 'b 4', 'b 5', 'b 6', 'b 7']) round.add(tenantOf(item), item);

    expect(round.roomFor('c')).toEqual({ tenant: 'a', item: 'a 2' });
    round.delete('a', 'a 2');
    round.add('c', 'c 8');
    expect([round.roomFor('a'), round.roomFor('c'), round.roomFor('d')]).toEqual([undefined, undefined, { tenant: 'b', item: 'b 7' }]);
  });
});
