import { assertClose, assertRefused, at, only, told } from '../answers.js';
import type { Outcome, TestArchive } from '../archive.js';
import { predictJson } from '../requests.js';

const ROWS = [
  [1.0, 2.0, 3.0],
  [-1.0, 0.5, 0.25],
];

export const onnx: TestArchive = {
  name: 'onnx',
  shows: 'an ONNX file that BaseHandler loads, run by a handler',
  pack: { handler: 'handler.py', serializedFile: 'made:scores.onnx' },
  steps: [
    ...ROWS.map((row, index) => ({
      name: `scores row ${index + 1} with ONNX Runtime as PyTorch does`,
      requests: [predictJson('onnx', { row })],
      check: (outcome: Outcome) =>
        assertClose(told(only(outcome)), { scores: at(outcome.expected, 'scores', index), by: 'InferenceSession', providers: ['CPUExecutionProvider'] }),
    })),
    {
      name: 'fails on a row of another length',
      requests: [predictJson('onnx', { row: [1, 2] })],
      check: (outcome) => assertRefused(only(outcome), 503, 'InternalServerException', 'Prediction failed'),
    },
  ],
};
