import assert from 'node:assert/strict';
import type { TestArchive } from '../archive.js';
import { predictJson } from '../requests.js';

export const continuousBatching: TestArchive = {
  name: 'continuous-batching',
  shows: '`continuousBatching`: a step for all that run at a time, ended by stopping criteria, streamed',
  pack: { handler: 'handler.py' },
  answersCustomizedDescribe: false,
  steps: [
    {
      name: 'counts down for three callers at once, each to its own end',
      requests: [3, 5, 2].map((from) => predictJson('continuous-batching', { from })),
      check: ({ answers }) => {
        assert.deepEqual(
          answers.map(({ body }) => body.toString()),
          ['3 2 1 ', '5 4 3 2 1 ', '2 1 '],
        );
        assert.deepEqual(answers[0]?.chunks?.map(String), ['3 ', '2 ', '1 ']);
      },
    },
    {
      name: 'serves a caller that comes when the others have left',
      requests: [predictJson('continuous-batching', { from: 2 })],
      check: ({ answers: [answer] }) => assert.deepEqual(answer?.chunks?.map(String), ['2 ', '1 ']),
    },
  ],
};
