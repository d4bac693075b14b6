import { describe, expect, it } from 'vitest';
import { aDescription, KeptModelService } from '../../test/fixtures/kept-model-service.js';
import { BadRequest, MethodNotAllowed } from '../errors/admission.js';
import { ManagementGate } from './management-gate.js';

const WISH = { url: 'm.mar', synchronous: true, s3SseKms: false };

function aGate(enableModelApi: boolean) {
  const models = new KeptModelService();
  models.versions.push(aDescription());
  return { models, gate: new ManagementGate(models, { enableModelApi }) };
}

describe('with the model API off', () => {
  it('models are neither registered nor unregistered', async () => {
    const { models, gate } = aGate(false);
    await expect(gate.register(WISH)).rejects.toSatisfy(MethodNotAllowed.is);
    await expect(gate.unregister('m', undefined)).rejects.toSatisfy(MethodNotAllowed.is);
    await expect(gate.unregister('unknown', undefined)).rejects.toSatisfy(MethodNotAllowed.is);
    expect([models.registerWishes, models.unregistered]).toEqual([[], []]);
  });

  it('scaling, the default version and reading are as free as ever', async () => {
    const { models, gate } = aGate(false);
    await expect(gate.scale({ model: 'm', version: undefined, minWorkers: 0, maxWorkers: 0, synchronous: false })).resolves.toBe('accepted');
    gate.setDefault('m', '1.0');
    expect(gate.list()).toEqual([{ name: 'm', url: 'm.mar' }]);
    expect(gate.describe('m', '1.0')).toBe(models.versions[0]);
    expect(gate.describeAll('m')).toEqual(models.versions);
    expect(gate.hasWorkers('m')).toBe(true);
    expect(gate.crashes()).toBe(models.dossiers);
  });
});

it('with the model API on models come and go', async () => {
  const { models, gate } = aGate(true);
  await gate.register(WISH);
  await gate.unregister('m', '1.0');
  expect(models.registerWishes).toEqual([WISH]);
  expect(models.unregistered).toEqual([['m', '1.0']]);
});

it.each([
  [-1, -1, 'min_worker cannot be negative.'],
  [-1, 3, 'min_worker cannot be negative.'],
  [2, 1, 'max_worker cannot be less than min_worker.'],
  [0, -1, 'max_worker cannot be less than min_worker.'],
])('scaling to %i..%i is refused before the model is looked for', async (minWorkers, maxWorkers, message) => {
  const { models, gate } = aGate(true);
  const refusal = gate.scale({ model: 'unknown', version: undefined, minWorkers, maxWorkers, synchronous: true });
  await expect(refusal).rejects.toThrow(message);
  await expect(refusal).rejects.toSatisfy(BadRequest.is);
  expect(models.scaleWishes).toEqual([]);
});
