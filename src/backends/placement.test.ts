import { expect, it } from 'vitest';
import type { SconceModelConfig } from '../inference/model-config.js';
import { CorePlan } from './core-plan.js';
import { Placement } from './placement.js';

const PLAIN: SconceModelConfig = {
  retryOnWorkerDeath: true,
  recycleAfterS: undefined,
  recycleAfterRequests: undefined,
  recycleMemoryGrowthBytes: undefined,
  intraOpThreads: 1,
};
const FOUR = Array.from({ length: 4 }, (_, cpu) => ({ cpu, core: String(cpu), node: 0 }));

it.each([
  [1, 8],
  [2, 4],
  [3, 2],
  [20, 1],
  [0, 8],
])('of eight processors each of %i workers computes with %i threads', (count, threads) => {
  expect(new Placement(8).share(0, count, { sconce: PLAIN })).toEqual({ threads, cores: undefined });
});

it('a worker that is bound has a thread per core, unless its model says otherwise', () => {
  const placement = new Placement(4, new CorePlan('', FOUR));

  expect(placement.share(1, 2, { sconce: PLAIN })).toEqual({ threads: 2, cores: [2, 3] });
  expect(placement.share(1, 2, { sconce: { ...PLAIN, threads: 7 } })).toEqual({ threads: 7, cores: [2, 3] });
});
