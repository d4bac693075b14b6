import { expect, it } from 'vitest';
import { WorkerIds } from './worker-ids.js';

it('workers are numbered one by one, those of parallel models in blocks of their own series', () => {
  const ids = new WorkerIds(9000, 29500);

  expect([ids.take(0), ids.take(2), ids.take(0), ids.take(4), ids.take(2)]).toEqual([9000, 29500, 9001, 29502, 29506]);
});
