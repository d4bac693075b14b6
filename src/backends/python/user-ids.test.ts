import { expect, it } from 'vitest';
import { UserIds } from './user-ids.js';

it('gives each number to one worker at a time, and none when all are taken', () => {
  const users = new UserIds({ first: 2000, last: 2002 });

  const taken = [users.take(), users.take(), users.take()];

  expect([...taken].sort()).toEqual([2000, 2001, 2002]);
  expect(users.take()).toBeUndefined();
  users.give(2001);
  expect(users.take()).toBe(2001);
});
