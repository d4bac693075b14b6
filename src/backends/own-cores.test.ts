import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Tenant } from '../inference/tenant.js';
import type { Processor } from '../platform/processors.js';
import { numbersOf, splitCores } from './own-cores.js';

const NO_QUOTAS = { models: undefined, workers: undefined, requestsPerS: undefined, concurrent: undefined, bytesInFlight: undefined };

function tenant(name: string, ownCores: number): Tenant {
  return { name, weight: 1, quotas: NO_QUOTAS, memoryBytes: undefined, ownCores, gpus: undefined };
}

/** Four cores with two threads each, as Linux numbers them. */
const SMT: readonly Processor[] = Array.from({ length: 8 }, (_, cpu) => ({ cpu, core: `threads ${cpu % 4},${(cpu % 4) + 4}`, node: 0, threadsOfCore: 2 }));

describe('cores of tenants', () => {
  it('are nobody’s own unless somebody asks', () => {
    expect(splitCores([tenant('default', 0), tenant('a', 0)], SMT)).toBeUndefined();
  });

  it('come with all their hardware threads, from the last core on', () => {
    const split = splitCores([tenant('a', 1), tenant('b', 2)], SMT);

    expect([...(split?.own ?? [])].map(([name, own]) => [name, numbersOf(own)])).toEqual([
      ['a', [3, 7]],
      ['b', [1, 2, 5, 6]],
    ]);
    expect(numbersOf(split?.shared ?? [])).toEqual([0, 4]);
  });

  it('are not those of which somebody outside may use a thread', () => {
    const without7 = SMT.filter(({ cpu }) => cpu !== 7);

    expect(numbersOf(splitCores([tenant('a', 1)], without7)?.own.get('a') ?? [])).toEqual([2, 6]);
    expect(() => splitCores([tenant('a', 4)], without7)).toThrow('tenants are to have 4 (a 4), but this server may use 3 whole physical cores');
  });

  it('are never all there are, and never two tenants’', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }), (wishes) => {
        const tenants = wishes.map((cores, n) => tenant(`t${n}`, cores));
        const asked = wishes.reduce((sum, cores) => sum + cores, 0);
        if (asked > 3) {
          expect(() => splitCores(tenants, SMT)).toThrow('one has to be left for everybody else');
          return;
        }
        const split = splitCores(tenants, SMT);
        expect(split === undefined).toBe(asked === 0);
        if (split === undefined) return;

        const all = [...split.own.values(), split.shared].flatMap(numbersOf);
        expect([...all].sort()).toEqual(numbersOf(SMT));
        const cores = [...split.own.values(), split.shared].map((some) => new Set(some.map(({ core }) => core)));
        expect(cores.reduce((sum, { size }) => sum + size, 0)).toBe(4);
      }),
    );
  });
});
