import { assertClose, only, told } from '../answers.js';
import type { Outcome, TestArchive } from '../archive.js';
import { predict } from '../requests.js';

export const detection: TestArchive = {
  name: 'detection',
  shows: "built-in `object_detector` with torchvision's Faster R-CNN",
  pack: { handler: 'object_detector', modelFile: 'model.py', serializedFile: 'made:weights.pth', extraFiles: ['made:index_to_name.json'] },
  steps: [
    {
      name: 'answers a labelled box and a score for each thing that PyTorch finds',
      requests: [predict('detection', { made: 'picture.png' })],
      check: (outcome) => assertClose(told(only(outcome)), expectedThings(outcome)),
    },
  ],
};

function expectedThings({ expected }: Outcome): unknown {
  const things = expected as readonly { readonly label: string; readonly box: readonly number[]; readonly score: number }[];
  return things.map(({ label, box, score }) => ({ [label]: box, score }));
}
