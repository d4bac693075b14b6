import { afterEach, describe, expect, it } from 'vitest';
import { aServableModel } from '../../test/fixtures/driven-runner.js';
import { idleBackend, servingParts } from '../../test/fixtures/serving-parts.js';
import type { RunnerSpec } from '../backends/backend.js';
import { DeviceAllocator } from '../backends/device-allocator.js';
import type { GpuWatch } from '../backends/gpu-watch.js';
import { NotEnoughDevices } from '../errors/model.js';
import { ServedVersion } from './served-version.js';

let started: RunnerSpec[] = [];
let served: ServedVersion | undefined;

function aParallelVersion(gpuCount: number): ServedVersion {
  const plain = aServableModel({ backend: 'python' });
  const model = { ...plain, config: { ...plain.config, parallelType: 'tp' as const, parallelLevel: 2 } };
  const limits = { minWorkers: 1, maxWorkers: 1, batchSize: 1, maxBatchDelayMs: 1, responseTimeoutS: 1, startupTimeoutS: 1, queueSize: 1 };
  const backend = idleBackend((spec) => started.push(spec));
  served = new ServedVersion(model, { ...limits, maxRetryTimeoutS: 1, clientTimeoutMs: 0 }, false, backend, servingParts({ backend, gpuCount }));
  return served;
}

afterEach(async () => {
  await served?.stop(AbortSignal.abort(), 0);
  started = [];
});

it('each worker of a tenant is described with the usage of its own GPU, which it counts from 0', async () => {
  const asked: number[] = [];
  const backend = idleBackend();
  const parts = { ...servingParts({ backend, devices: new DeviceAllocator(5, [1, 3]) }), gpus: { textOf: (gpu: number) => `${asked.push(gpu)}` } as GpuWatch };
  const limits = { minWorkers: 2, maxWorkers: 2, batchSize: 1, maxBatchDelayMs: 1, responseTimeoutS: 1, startupTimeoutS: 1, queueSize: 1 };
  served = new ServedVersion(aServableModel({ backend: 'python' }), { ...limits, maxRetryTimeoutS: 1, clientTimeoutMs: 0 }, false, backend, parts);
  await served.scale(2, 2, undefined);

  served.describe();

  expect(asked).toEqual([1, 3]);
});

describe('a parallel model on GPUs', () => {
  it('gets as many workers as there are groups of devices for, and each its own group', async () => {
    const version = aParallelVersion(5);

    expect(await version.scale(4, 4, undefined)).toBe('complete');

    expect(version.describe()).toMatchObject({ minWorkers: 2, maxWorkers: 2, deviceType: 'gpu' });
    expect(started.map(({ device }) => device)).toEqual([
      { kind: 'gpu', id: 0, visible: [0, 1] },
      { kind: 'gpu', id: 0, visible: [2, 3] },
    ]);
  });

  it('that has too few for one worker is refused', async () => {
    const refused = await aParallelVersion(1)
      .scale(1, 1, undefined)
      .catch((error: unknown) => error);

    expect(NotEnoughDevices.is(refused)).toBe(true);
    expect(refused).toMatchObject({
      message: 'No enough gpu devices for model:m parallelLevel:2',
      rendering: { http: 500, type: 'WorkerInitializationException' },
    });
    expect(started).toEqual([]);
  });
});
