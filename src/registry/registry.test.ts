import { expect, it } from 'vitest';
import { aServableModel } from '../../test/fixtures/driven-runner.js';
import { idleBackend, servingParts } from '../../test/fixtures/serving-parts.js';
import { KeptLog } from '../../test/fixtures/silent-observer.js';
import { DependenciesFailed, DownloadFailed } from '../errors/model.js';
import type { ServableModel } from '../inference/servable-model.js';
import { Registry } from './registry.js';

it('a model that is unregistered while it is prepared is not served, though its preparation came to the end', async () => {
  const released: ServableModel[] = [];
  let unregistered: Promise<void> | undefined;
  const registry: Registry = new Registry({
    intake: {
      admit: async () => aServableModel({ backend: 'python' }),
      prepare: async (model) => {
        unregistered = registry.unregister('m', undefined);
        return model;
      },
      release: async (model) => void released.push(model),
    },
    serving: servingParts({ backend: idleBackend() }),
    defaults: { responseTimeoutS: 1, startupTimeoutS: 1, queueSize: 1, startupWorkers: 0, registerWorkers: 0 },
    configured: () => ({}),
    log: new KeptLog(),
  });

  const refusal = await registry.register({ url: 'm.mar', synchronous: true, s3SseKms: false }).catch((error: unknown) => error);
  await unregistered;

  expect(() => registry.describe('m', undefined)).toThrow('Model not found: m');
  expect(refusal).toSatisfy(DependenciesFailed.is);
  expect(refusal).toMatchObject({ message: 'Registration of model m was given up (it was unregistered meanwhile)' });
  expect(released.length).toBe(1);
});

it('LG4 what a location has of secrets stands in no line of the log', async () => {
  const log = new KeptLog();
  const registry = new Registry({
    intake: {
      admit: async ({ url }) => {
        throw DownloadFailed({ url });
      },
      prepare: async (model) => model,
      release: async () => undefined,
    },
    serving: servingParts({ backend: idleBackend() }),
    defaults: { responseTimeoutS: 1, startupTimeoutS: 1, queueSize: 1, startupWorkers: 0, registerWorkers: 0 },
    configured: () => ({}),
    log,
  });

  await registry.loadAtStartup([{ name: 'm', url: 'https://user:canary@b.example/m.mar?X-Amz-Signature=canary#canary' }]);

  expect(log.lines).toEqual([
    'INFO Loading initial models: https://b.example/m.mar',
    'WARN Failed to load model: https://b.example/m.mar: Failed to download archive from: https://b.example/m.mar',
  ]);
});
