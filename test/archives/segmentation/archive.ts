import assert from 'node:assert/strict';
import { assertRefused, at, only, told } from '../answers.js';
import type { TestArchive } from '../archive.js';
import { predict } from '../requests.js';

export const segmentation: TestArchive = {
  name: 'segmentation',
  shows: "built-in `image_segmenter` with torchvision's FCN",
  pack: { handler: 'image_segmenter', modelFile: 'model.py', serializedFile: 'made:weights.pth' },
  steps: [
    {
      name: 'answers a class and its probability for each of 224 x 224 pixels, as PyTorch does',
      requests: [predict('segmentation', { made: 'scene.png' })],
      check: (outcome) => {
        const pixels = told(only(outcome));
        const classes = at(outcome.expected, 'classes');
        assert.ok(Array.isArray(pixels) && Array.isArray(classes));
        assert.deepEqual([pixels.length, pixels[0].length, pixels[0][0].length], [224, 224, 2]);
        const flat = pixels.flat();
        const expected = classes.flat();
        const same = flat.filter(([kind], index) => kind === expected[index]).length;
        // A pixel on the line between two classes may fall either way in the last bit.
        assert.ok(same >= flat.length - 5, `${flat.length - same} of ${flat.length} pixels are of another class`);
        const total = flat.reduce((sum, [, probability]) => sum + probability, 0);
        assert.ok(Math.abs(total - Number(at(outcome.expected, 'total_probability'))) < 1, `the probabilities add up to ${total}`);
        assert.deepEqual([...new Set(flat.map(([kind]) => kind))].sort(), at(outcome.expected, 'kinds'));
      },
    },
    {
      name: 'fails on what is no picture',
      requests: [predict('segmentation', 'not a picture')],
      check: (outcome) => assertRefused(only(outcome), 503, 'InternalServerException', 'Prediction failed'),
    },
  ],
};
