import { expect, it } from 'vitest';
import { RestartTurns } from './restart-turns.js';

it('so many load again at the same time, the others in their order, and one that is taken back never', () => {
  const turns = new RestartTurns(2);
  const started: number[] = [];
  const ends = [1, 2, 3, 4, 5].map((n) => turns.take(() => started.push(n)));
  expect(started).toEqual([1, 2]);

  ends[2]?.();
  ends[0]?.();
  ends[0]?.();

  expect(started).toEqual([1, 2, 4]);
  for (const end of ends) end();
  expect(started).toEqual([1, 2, 4, 5]);
  ends[4]?.();
  turns.take(() => started.push(6));
  turns.take(() => started.push(7));
  turns.take(() => started.push(8));
  expect(started.slice(4)).toEqual([6, 7]);
});
