import { assertClose, at, only, told } from '../answers.js';
import type { TestArchive } from '../archive.js';
import { predictJson } from '../requests.js';

export const aotInductor: TestArchive = {
  name: 'aot-inductor',
  shows: 'a shared library compiled ahead of time, loaded by `pt2.export.aot_compile`',
  pack: { handler: 'handler.py', serializedFile: 'made:curve.so' },
  steps: [
    {
      name: 'computes a point as PyTorch does',
      requests: [predictJson('aot-inductor', { point: [0.25, -1.0, 2.0] })],
      check: (outcome) => assertClose(told(only(outcome)), { value: at(outcome.expected, 'value') }),
    },
  ],
};
