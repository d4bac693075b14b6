import { assertClose, assertRefused, at, only, told } from '../answers.js';
import type { Outcome, TestArchive } from '../archive.js';
import { predict } from '../requests.js';

export const resnet18: TestArchive = {
  name: 'resnet-18',
  shows: 'built-in `image_classifier` with an eager ResNet-18 and a thousand labels; stored, not deflated',
  pack: {
    handler: 'image_classifier',
    modelFile: 'model.py',
    serializedFile: 'made:weights.pth',
    extraFiles: ['made:index_to_name.json'],
    format: 'zip-store',
  },
  steps: [
    ...['wide', 'tall'].map((picture) => ({
      name: `answers the ${picture} picture with PyTorch's own five best labels, best first`,
      requests: [predict('resnet-18', { made: `${picture}.png` })],
      check: (outcome: Outcome) => assertClose(told(only(outcome)), at(outcome.expected, picture)),
    })),
    {
      name: 'fails on a picture with an alpha channel',
      requests: [predict('resnet-18', { made: 'transparent.png' })],
      check: (outcome) => assertRefused(only(outcome), 503, 'InternalServerException', 'Prediction failed'),
    },
  ],
};
