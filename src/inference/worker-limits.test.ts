import { expect, it } from 'vitest';
import { NO_LIMITS, stricter } from './worker-limits.js';

it('of two sets of limits the stricter of each holds, and none where neither has one', () => {
  const server = { memoryBytes: 100, processes: 5, fileBytes: undefined, openFiles: undefined, logBytesPerS: 7 };
  const model = { memoryBytes: 1000, processes: 2, fileBytes: 9, openFiles: undefined, logBytesPerS: undefined };

  expect(stricter(server, model)).toEqual({ memoryBytes: 100, processes: 2, fileBytes: 9, openFiles: undefined, logBytesPerS: 7 });
  expect(stricter(server, NO_LIMITS)).toEqual(server);
});
