import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairPlaces } from './fair-places.js';

/** Takes places and keeps who has started, in order. */
class Counter {
  readonly running: Record<string, number> = {};
  readonly started: string[] = [];

  constructor(readonly places: FairPlaces) {}

  take(tenant: string): () => boolean {
    return this.places.take(tenant, () => {
      this.running[tenant] = (this.running[tenant] ?? 0) + 1;
      this.started.push(tenant);
    });
  }

  give(tenant: string): void {
    this.running[tenant] = (this.running[tenant] ?? 0) - 1;
    this.places.give(tenant);
  }
}

describe('places to compute at', () => {
  it('are without a bound for a tenant alone', () => {
    const counter = new Counter(new FairPlaces(2, () => 1));

    for (let n = 0; n < 5; n += 1) counter.take('a');

    expect(counter.running).toEqual({ a: 5 });
  });

  it('are there at once for a tenant that has nothing running, however many others do and for however long', () => {
    const counter = new Counter(new FairPlaces(2, () => 1));
    for (let n = 0; n < 5; n += 1) counter.take('a');

    counter.take('b');
    counter.take('b');

    expect(counter.running).toEqual({ a: 5, b: 1 });
  });

  it('go by weight to those that wait', () => {
    const counter = new Counter(new FairPlaces(8, (tenant) => (tenant === 'b' ? 3 : 1)));
    for (let n = 0; n < 12; n += 1) counter.take('a');
    for (let n = 0; n < 12; n += 1) counter.take('b');

    expect(counter.running).toEqual({ a: 12, b: 6 });
    for (let n = 0; n < 10; n += 1) counter.give('a');
    for (let n = 0; n < 6; n += 1) counter.take('a');

    expect(counter.running).toEqual({ a: 2, b: 6 });
  });

  it('are given to each who asked once, in the order of each tenant, and nobody waits while one is free or after all have gone', () => {
    const step = fc.record({ do: fc.constantFrom('take', 'take', 'give', 'back'), tenant: fc.constantFrom('a', 'b', 'c'), which: fc.nat(10) });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 80 }), (count, steps) => {
        const places = new FairPlaces(count, (tenant) => (tenant === 'a' ? 2 : 1));
        const open: { tenant: string; state: 'waiting' | 'running' | 'over'; back: () => boolean }[] = [];
        const those = (state: string, tenant?: string) => open.filter((one) => one.state === state && (tenant === undefined || one.tenant === tenant));

        for (const { do: what, tenant, which } of steps) {
          if (what === 'take') {
            const one: (typeof open)[number] = { tenant, state: 'waiting', back: () => false };
            open.push(one);
            one.back = places.take(tenant, () => {
              expect(one.state).toBe('waiting');
              expect(those('waiting', tenant)[0]).toBe(one);
              one.state = 'running';
            });
          } else if (what === 'give') {
            const one = those('running')[which];
            if (one === undefined) continue;
            one.state = 'over';
            places.give(one.tenant);
          } else {
            const one = open[which];
            if (one === undefined || one.state === 'over') continue;
            expect(one.back()).toBe(one.state === 'waiting');
            if (one.state === 'waiting') one.state = 'over';
          }
          if (those('running').length < count) expect(those('waiting')).toEqual([]);
          for (const waiting of those('waiting')) expect(those('running', waiting.tenant).length).toBeGreaterThan(0);
        }
        for (let patience = 0; patience < 200; patience += 1) {
          const [one] = those('running');
          if (one === undefined) break;
          one.state = 'over';
          places.give(one.tenant);
        }
        expect(those('waiting')).toEqual([]);
      }),
    );
  });
});
