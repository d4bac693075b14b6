import { describe, expect, it } from 'vitest';
import { LoadFailed } from '../../../errors/backend.js';
import { readPipelineConfig } from './pipeline-config.js';

function refusal(raw: unknown): string {
  try {
    readPipelineConfig(raw);
  } catch (error) {
    if (LoadFailed.is(error)) return error.message;
    throw error;
  }
  return 'taken';
}

describe('readPipelineConfig', () => {
  it('an absent block is an empty pipeline', () => {
    expect(readPipelineConfig(undefined)).toEqual({ image: undefined, postprocess: [], output: undefined, joinRequests: undefined });
  });

  it('steps may be bare names or have options', () => {
    const { postprocess } = readPipelineConfig({
      postprocess: ['softmax', { sigmoid: null }, { argmax: { axis: 1 } }, { topk: { k: 3, labels: ['a'] } }, { threshold: 0.5 }, { round: 2 }],
    });

    expect(postprocess).toEqual([
      { step: 'softmax', axis: -1 },
      { step: 'sigmoid' },
      { step: 'argmax', axis: 1, labels: undefined },
      { step: 'topk', k: 3, labels: ['a'] },
      { step: 'threshold', min: 0.5, labels: undefined },
      { step: 'round', digits: 2 },
    ]);
  });

  it('an image block has the defaults of a picture stretched to the model', () => {
    expect(readPipelineConfig({ preprocess: { image: {} } }).image).toMatchObject({
      resize: 'stretch',
      kernel: 'linear',
      scale: 255,
      mean: [0],
      std: [1],
      order: 'RGB',
    });
  });

  it.each([
    [{ preproces: {} }, 'model-config.yaml: pipeline: Unrecognized key: "preproces"'],
    [{ preprocess: { image: { size: [0, 8] } } }, 'pipeline.preprocess.image.size.0:'],
    [{ preprocess: { image: { std: [0] } } }, 'pipeline.preprocess.image.std: must not hold 0'],
    [{ preprocess: { image: { crop: 'center' } } }, 'pipeline.preprocess.image.crop: resize: shorter-side and crop: center belong together'],
    [{ postprocess: ['top-k'] }, 'pipeline.postprocess.0: takes one of softmax, sigmoid, argmax'],
    [{ postprocess: [{ topk: { k: 0 } }] }, 'pipeline.postprocess.0.topk.k: Too small'],
    ['softmax', 'model-config.yaml: pipeline:'],
  ])('%j is refused by key', (raw, message) => {
    expect(refusal(raw)).toContain(message);
  });
});
