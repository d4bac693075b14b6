import assert from 'node:assert/strict';
import { assertRefused, only } from '../answers.js';
import type { TestArchive } from '../archive.js';
import { predictJson } from '../requests.js';

export const asyncHandler: TestArchive = {
  name: 'async-handler',
  shows: '`asyncCommunication`: a coroutine handler whose requests overlap in one worker',
  pack: { handler: 'handler.py' },
  answersCustomizedDescribe: false,
  steps: [
    {
      name: 'answers two requests that wait for each other',
      requests: [predictJson('async-handler', { kind: 'salt', waits_for: 'pepper' }), predictJson('async-handler', { kind: 'pepper', waits_for: 'salt' })],
      check: ({ answers }) =>
        assert.deepEqual(
          answers.map(({ status, body }) => [status, body.toString()]),
          [
            [200, 'salt met pepper'],
            [200, 'pepper met salt'],
          ],
        ),
    },
    {
      name: 'fails a request with the status that its handler names',
      requests: [predictJson('async-handler', { fail: true })],
      check: (outcome) => assertRefused(only(outcome), 418, 'InternalServerException', 'as wished'),
    },
  ],
};
