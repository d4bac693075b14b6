import assert from 'node:assert/strict';
import { at, only, told } from '../answers.js';
import type { Outcome, TestArchive } from '../archive.js';
import { predictJson } from '../requests.js';

const ROWS = [
  [1.0, 2.0, 3.0, 4.0],
  [0.0, -1.0, 0.5, 2.0],
];

export const tensorParallel: TestArchive = {
  name: 'tensor-parallel',
  shows: 'one matrix on two ranks under `torchrun`, with gloo',
  pack: { handler: 'handler.py', serializedFile: 'made:matrix.pt' },
  steps: ROWS.map((row, index) => ({
    name: `multiplies row ${index + 1} by the halves of two ranks; the first one answers`,
    requests: [predictJson('tensor-parallel', { row })],
    check: (outcome: Outcome) => assert.deepEqual(told(only(outcome)), { values: at(outcome.expected, 'values', index), rank: 0, ranks: 2, columns: 2 }),
  })),
};
