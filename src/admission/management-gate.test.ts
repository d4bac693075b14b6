import { describe, expect, it } from 'vitest';
import { aCaller, OF_TENANT_A } from '../../test/fixtures/caller.js';
import { aDescription, KeptModelService } from '../../test/fixtures/kept-model-service.js';
import { BadRequest, MethodNotAllowed } from '../errors/admission.js';
import { ModelNotFound } from '../errors/model.js';
import { ManagementGate } from './management-gate.js';

const CALLER = aCaller();
const WISH = { url: 'm.mar', synchronous: true, s3SseKms: false };

function aGate(enableModelApi: boolean) {
  const models = new KeptModelService();
  models.versions.push(aDescription());
  const audited: (readonly [object, string])[] = [];
  const gate = new ManagementGate(models, {
    enableModelApi,
    audit: ({ verb, subject, version, result }) => audited.push([{ verb, subject, version }, result]),
  });
  return { models, gate, audited };
}

describe('with the model API off', () => {
  it('models are neither registered nor unregistered', async () => {
    const { models, gate } = aGate(false);
    await expect(gate.register(CALLER, WISH)).rejects.toSatisfy(MethodNotAllowed.is);
    await expect(gate.unregister(CALLER, 'm', undefined)).rejects.toSatisfy(MethodNotAllowed.is);
    await expect(gate.unregister(CALLER, 'unknown', undefined)).rejects.toSatisfy(MethodNotAllowed.is);
    expect([models.registerWishes, models.unregistered]).toEqual([[], []]);
  });

  it('scaling, the default version and reading are as free as ever', async () => {
    const { models, gate } = aGate(false);
    await expect(gate.scale(CALLER, { model: 'm', version: undefined, minWorkers: 0, maxWorkers: 0, synchronous: false })).resolves.toBe('accepted');
    gate.setDefault(CALLER, 'm', '1.0');
    expect(gate.list(CALLER)).toEqual([{ name: 'm', url: 'm.mar' }]);
    expect(gate.describe(CALLER, 'm', '1.0')).toBe(models.versions[0]);
    expect(gate.describeAll(CALLER, 'm')).toEqual(models.versions);
    expect(gate.hasWorkers(CALLER, 'm')).toBe(true);
    expect(gate.crashes(CALLER)).toEqual(models.dossiers);
  });
});

it('with the model API on models come and go', async () => {
  const { models, gate } = aGate(true);
  await gate.register(CALLER, WISH);
  await gate.unregister(CALLER, 'm', '1.0');
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
  const refusal = gate.scale(CALLER, { model: 'unknown', version: undefined, minWorkers, maxWorkers, synchronous: true });
  await expect(refusal).rejects.toThrow(message);
  await expect(refusal).rejects.toSatisfy(BadRequest.is);
  expect(models.scaleWishes).toEqual([]);
});

describe('the audit', () => {
  const scaling = { model: 'm', version: '1.0', minWorkers: 1, maxWorkers: 1, synchronous: true };

  it('is told of each change when it is done, and of no reading', async () => {
    const { gate, audited } = aGate(true);

    await gate.register(CALLER, WISH);
    await gate.scale(CALLER, scaling);
    gate.setDefault(CALLER, 'm', '1.0');
    await gate.unregister(CALLER, 'm', undefined);
    gate.list(CALLER);
    gate.describe(CALLER, 'm', undefined);

    expect(audited).toEqual([
      [{ verb: 'register', subject: 'm.mar', version: undefined }, 'done'],
      [{ verb: 'scale', subject: 'm', version: '1.0' }, 'done'],
      [{ verb: 'set-default', subject: 'm', version: '1.0' }, 'done'],
      [{ verb: 'unregister', subject: 'm', version: undefined }, 'done'],
    ]);
  });

  it('is told of each refusal by its code, once', async () => {
    const { gate, models, audited } = aGate(true);
    models.registered = () => {
      throw new TypeError('a fault of ours');
    };

    await expect(gate.register(CALLER, WISH)).rejects.toThrow('a fault of ours');
    await expect(gate.scale(CALLER, { ...scaling, minWorkers: 2 })).rejects.toThrow();
    expect(() => gate.setDefault(CALLER, 'm', '9')).toThrow();
    await expect(gate.unregister(CALLER, 'unknown', undefined)).rejects.toThrow();

    expect(audited.map(([action, result]) => `${Reflect.get(action, 'verb')} ${result}`)).toEqual([
      'register INVARIANT',
      'scale BAD_REQUEST',
      'set-default DEFAULT_VERSION_UNKNOWN',
      'unregister MODEL_NOT_FOUND',
    ]);
  });

  it('is told once of what the switched-off model API refuses, read or unread', async () => {
    const { gate, audited } = aGate(false);

    expect(() => gate.assertModelApi(CALLER)).toThrow();
    await expect(gate.register(CALLER, WISH)).rejects.toThrow();
    await expect(gate.unregister(CALLER, 'm', '1.0')).rejects.toThrow();

    expect(audited).toEqual([
      [{ verb: 'register', subject: '', version: undefined }, 'METHOD_NOT_ALLOWED'],
      [{ verb: 'register', subject: 'm.mar', version: undefined }, 'METHOD_NOT_ALLOWED'],
      [{ verb: 'unregister', subject: 'm', version: '1.0' }, 'METHOD_NOT_ALLOWED'],
    ]);
  });

  it.each([
    ['https://user:p@ss@example.org/m.mar?X-Signature=abc#d', 'https://example.org/m.mar'],
    ['https://example.org/a@b/m.mar', 'https://example.org/a@b/m.mar'],
    ['s3://bucket/m.mar', 's3://bucket/m.mar'],
    ['m.mar', 'm.mar'],
  ])('never sees the secrets of a location: %s', async (url, subject) => {
    const { gate, audited } = aGate(true);

    await gate.register(CALLER, { ...WISH, url });

    expect(audited).toEqual([[{ verb: 'register', subject, version: undefined }, 'done']]);
  });
});

describe('for a caller who may manage some models only', () => {
  const caller = aCaller({ principal: OF_TENANT_A });

  it('the others are not found, in any call, and the audit says who tried', async () => {
    const { models, gate, audited } = aGate(true);

    await expect(gate.unregister(caller, 'm', undefined)).rejects.toSatisfy(ModelNotFound.is);
    await expect(gate.scale(caller, { model: 'm', version: undefined, minWorkers: 0, maxWorkers: 0, synchronous: false })).rejects.toSatisfy(ModelNotFound.is);
    for (const ask of [
      () => gate.setDefault(caller, 'm', '1.0'),
      () => gate.describe(caller, 'm', '1.0'),
      () => gate.describeAll(caller, 'm'),
      () => gate.hasWorkers(caller, 'm'),
    ])
      expect(ask).toThrow(expect.toSatisfy(ModelNotFound.is));
    expect([gate.list(caller), gate.crashes(caller)]).toEqual([[], []]);

    expect([models.unregistered, models.scaleWishes, [...models.defaults]]).toEqual([[], [], []]);
    expect(audited.map(([, result]) => result)).toEqual(['MODEL_NOT_FOUND', 'MODEL_NOT_FOUND', 'MODEL_NOT_FOUND']);
  });

  it('a registration has to name its model, and within the patterns: the name in an archive could be any', async () => {
    const { models, gate } = aGate(true);

    await expect(gate.register(caller, WISH)).rejects.toThrow('This token may register a-* only: model_name has to be given and fit.');
    await expect(gate.register(caller, { ...WISH, modelName: 'b-1' })).rejects.toSatisfy(ModelNotFound.is);
    await gate.register(caller, { ...WISH, modelName: 'a-1' });

    expect(models.registerWishes).toEqual([{ ...WISH, modelName: 'a-1' }]);
  });
});
