import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../inference/model-config.js';
import type { RegisterWish } from './model-service.js';
import { resolveLimits, restoredLimits } from './version-limits.js';

const DEFAULTS = { responseTimeoutS: 120, startupTimeoutS: 121, queueSize: 100, startupWorkers: 2, registerWorkers: 0 };
const PLAIN: ModelConfig = {
  sconce: { retryOnWorkerDeath: true, recycleAfterS: undefined, recycleAfterRequests: undefined, recycleMemoryGrowthBytes: undefined, intraOpThreads: 1 },
  raw: {},
  file: undefined,
};

function aWish(over: Partial<RegisterWish> = {}): RegisterWish {
  return { url: 'm.mar', synchronous: true, s3SseKms: false, ...over };
}

function aModel(config: ModelConfig = PLAIN, backend: 'python' | 'onnx' = 'python') {
  return { config, backend };
}

describe('limits of a version', () => {
  it('a model loaded at start gets the default workers, a registered one none', () => {
    expect(resolveLimits(aModel(), {}, undefined, DEFAULTS)).toMatchObject({ minWorkers: 2, maxWorkers: 2, batchSize: 1, maxBatchDelayMs: 100 });
    expect(resolveLimits(aModel(), {}, aWish(), DEFAULTS)).toMatchObject({ minWorkers: 0, maxWorkers: 0 });
  });

  it('the worker pair of the yaml beats the call, and an incomplete pair does not', () => {
    const wish = aWish({ initialWorkers: 3 });

    expect(resolveLimits(aModel({ ...PLAIN, minWorkers: 1, maxWorkers: 4 }), {}, wish, DEFAULTS)).toMatchObject({ minWorkers: 1, maxWorkers: 4 });
    expect(resolveLimits(aModel({ ...PLAIN, minWorkers: 1 }), {}, wish, DEFAULTS)).toMatchObject({ minWorkers: 3, maxWorkers: 3 });
  });

  it('the batch settings of the call beat the yaml, which beats the models JSON', () => {
    const yaml = { ...PLAIN, batchSize: 4, maxBatchDelayMs: 40 };
    const json = { batchSize: 2, maxBatchDelayMs: 20 };

    expect(resolveLimits(aModel(yaml), json, aWish({ batchSize: 8 }), DEFAULTS)).toMatchObject({ batchSize: 8, maxBatchDelayMs: 40 });
    expect(resolveLimits(aModel(), json, aWish(), DEFAULTS)).toMatchObject({ batchSize: 2, maxBatchDelayMs: 20 });
  });

  it('an ONNX model takes up to eight waiting requests at once and waits for none, unless it is told otherwise', () => {
    expect(resolveLimits(aModel(PLAIN, 'onnx'), {}, aWish(), DEFAULTS)).toMatchObject({ batchSize: 8, maxBatchDelayMs: 0 });
    expect(resolveLimits(aModel({ ...PLAIN, batchSize: 2, maxBatchDelayMs: 5 }, 'onnx'), {}, aWish(), DEFAULTS)).toMatchObject({
      batchSize: 2,
      maxBatchDelayMs: 5,
    });
  });

  it('a yaml that names no time-out leaves those of the call and the server in force', () => {
    expect(resolveLimits(aModel(), {}, aWish({ responseTimeoutS: 5 }), DEFAULTS)).toMatchObject({ responseTimeoutS: 5, startupTimeoutS: 121 });
    expect(resolveLimits(aModel({ ...PLAIN, responseTimeoutS: 9 }), {}, aWish({ responseTimeoutS: 5 }), DEFAULTS)).toMatchObject({ responseTimeoutS: 9 });
  });

  it('of one that is restored are as they were, whatever the yaml and the models JSON say, and come from there where nothing is known', () => {
    const model = aModel({ ...PLAIN, minWorkers: 7, maxWorkers: 8, batchSize: 9, responseTimeoutS: 5 });
    const was = { minWorkers: 0, maxWorkers: 3, batchSize: 2, maxBatchDelayMs: 0, startupTimeoutS: 60 };

    const limits = restoredLimits(model, { batchSize: 4, minWorkers: 4 }, was, DEFAULTS);

    expect(limits).toMatchObject({ ...was, responseTimeoutS: 5, queueSize: 100 });
  });
});
