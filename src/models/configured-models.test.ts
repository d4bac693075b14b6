import { describe, expect, it } from 'vitest';
import { ConfigInvalid } from '../errors/config.js';
import { configuredModels } from './configured-models.js';

const UNSET = {
  minWorkers: undefined,
  maxWorkers: undefined,
  batchSize: undefined,
  maxBatchDelayMs: undefined,
  responseTimeoutS: undefined,
  startupTimeoutS: undefined,
};

describe('models= of config.properties', () => {
  it('gives the figures of a version', () => {
    const find = configuredModels(
      '{"dogs": {"1.0": {"minWorkers": 1, "maxWorkers": 4, "batchSize": 8, "maxBatchDelay": 50, "responseTimeout": 60, "startupTimeout": 90, "marName": "dogs.mar"}}}',
    );

    expect(find('dogs', '1.0')).toEqual({ minWorkers: 1, maxWorkers: 4, batchSize: 8, maxBatchDelayMs: 50, responseTimeoutS: 60, startupTimeoutS: 90 });
    expect(find('dogs', '2.0')).toEqual(UNSET);
    expect(find('cats', '1.0')).toEqual(UNSET);
  });

  it('is read as leniently as Gson reads it', () => {
    expect(configuredModels("{dogs: {'1.0': {minWorkers = '2'; batchSize: 4,},}}")('dogs', '1.0')).toEqual({ ...UNSET, minWorkers: 2, batchSize: 4 });
  });

  it('leaves out what is no whole number above 0', () => {
    const find = configuredModels(
      '{a: {"1": {minWorkers: 0, maxWorkers: -1, batchSize: 1.5, maxBatchDelay: many, responseTimeout: null, startupTimeout: [1]}}}',
    );

    expect(find('a', '1')).toEqual(UNSET);
  });

  it('knows no model by the name of what every object has', () => {
    expect(configuredModels('{}')('constructor', 'name')).toEqual(UNSET);
    expect(configuredModels('{a: 5}')('a', 'toFixed')).toEqual(UNSET);
  });

  it.each([undefined, '', '  ', 'word', '[]', 'null'])('of %j sets nothing', (json) => {
    expect(configuredModels(json)('a', '1')).toEqual(UNSET);
  });

  it('that is not JSON stops the start', () => {
    let refusal: unknown;
    try {
      configuredModels('{dogs: {');
    } catch (error) {
      refusal = error;
    }
    expect(ConfigInvalid.is(refusal)).toBe(true);
    expect(refusal).toMatchObject({ message: expect.stringContaining('models is not JSON: Malformed JSON at character') });
  });
});
