import assert from 'node:assert/strict';
import { only, told } from '../answers.js';
import type { TestArchive } from '../archive.js';
import { predictJson } from '../requests.js';

const ROWS = Array.from({ length: 6 }, (_, n) => [n, 2 * n, 0.5, -n]);

export const microBatching: TestArchive = {
  name: 'micro-batching',
  shows: 'TorchScript model, `MicroBatching` over a batch of six with several threads a step',
  pack: { handler: 'handler.py', serializedFile: 'made:scores.pt' },
  steps: [
    {
      name: 'answers a batch of six in micro-batches of two, each request its own score',
      requests: ROWS.map((numbers) => predictJson('micro-batching', { numbers })),
      check: ({ answers }) => {
        const results = answers.map((answer) => told(answer) as { readonly score: number; readonly together: number });
        assert.deepEqual(
          results.map(({ score }) => score),
          ROWS.map(([a = 0, b = 0, c = 0, d = 0]) => a + 2 * b + 3 * c + 4 * d),
        );
        assert.ok(results.every(({ together }) => together === 2));
      },
    },
    {
      name: 'answers one request alone when nobody joins it',
      requests: [predictJson('micro-batching', { numbers: [1, 1, 1, 1] })],
      check: (outcome) => assert.deepEqual(told(only(outcome)), { score: 10, together: 1 }),
    },
  ],
};
