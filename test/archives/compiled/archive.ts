import { assertClose, at, only, told } from '../answers.js';
import type { Outcome, TestArchive } from '../archive.js';
import { predictJson } from '../requests.js';

const POINTS = [
  [0.25, -1.0, 2.0],
  [3.0, 0.5, -0.125],
];

export const compiled: TestArchive = {
  name: 'compiled',
  shows: '`torch.compile` by `pt2:` in model-config.yaml, with the inductor back end',
  pack: { handler: 'handler.py', modelFile: 'model.py', serializedFile: 'made:weights.pt' },
  steps: POINTS.map((point, index) => ({
    name: `computes point ${index + 1} with the compiled model as PyTorch does without compiling`,
    requests: [predictJson('compiled', { point })],
    check: (outcome: Outcome) => assertClose(told(only(outcome)), { value: at(outcome.expected, 'values', index), by: 'OptimizedModule' }),
  })),
};
