import { describe, expect, it } from 'vitest';
import { aManagementApi, anError } from '../../../test/fixtures/management-api.js';
import { UnregisterTimedOut, WorkersNotStarted } from '../../errors/model.js';

describe('the wish', () => {
  const NO_WISH = { model: 'm', version: undefined, minWorkers: 1, maxWorkers: 1, synchronous: false };
  it.each([
    ['/models/m', NO_WISH],
    ['/models/m?min_worker=3', { ...NO_WISH, minWorkers: 3, maxWorkers: 3 }],
    ['/models/m?min_worker=1&max_worker=4', { ...NO_WISH, maxWorkers: 4 }],
    ['/models/m?min_worker=0', { ...NO_WISH, minWorkers: 0, maxWorkers: 0 }],
    ['/models/m?min_worker=two', NO_WISH],
    ['/models/m?min_worker=2&max_worker=many', { ...NO_WISH, minWorkers: 2, maxWorkers: 2 }],
    ['/models/m?min_worker=1&timeout=5&number_gpu=2', NO_WISH],
    ['/models/m?synchronous=TRUE', { ...NO_WISH, synchronous: true }],
    ['/models/m/2.0', { ...NO_WISH, version: '2.0' }],
    ['/models/m?model_version=2.0', { ...NO_WISH, version: '2.0' }],
    ['/models/m/1.0?model_version=2.0', { ...NO_WISH, version: '1.0' }],
  ])('of PUT %s', async (target, wish) => {
    const { models, told } = aManagementApi();
    expect(await told('PUT', target)).toEqual([202, { status: 'Processing worker updates...' }]);
    expect(models.scaleWishes).toEqual([wish]);
  });

  it('is read of the query alone', async () => {
    const { models, told } = aManagementApi();
    await told('PUT', '/models/m?min_worker=2', { headers: [['content-type', 'application/json']], body: '{"min_worker": 5}' });
    expect(models.scaleWishes).toEqual([{ ...NO_WISH, minWorkers: 2, maxWorkers: 2 }]);
  });

  it('is heard with the model API off', async () => {
    const { told } = aManagementApi({ enableModelApi: false });
    expect((await told('PUT', '/models/m?min_worker=2'))[0]).toBe(202);
  });
});

describe('the answer', () => {
  it.each([
    ['/models/m?min_worker=2&max_worker=5', 'Workers scaled to 2 for model: m'],
    ['/models/m/2.0?min_worker=2', 'Workers scaled to 2 for model: m, version: 2.0'],
    ['/models/m?min_worker=2&model_version=2.0', 'Workers scaled to 2 for model: m, version: 2.0'],
  ])('to PUT %s names what was asked for, once it is done', async (target, status) => {
    const { models, told } = aManagementApi();
    models.scaled = () => 'complete';
    expect(await told('PUT', `${target}&synchronous=true`)).toEqual([200, { status }]);
  });

  it('to a wait that ended too early is 206', async () => {
    const { models, told } = aManagementApi();
    models.scaled = () => 'partial';
    expect(await told('PUT', '/models/m?synchronous=true')).toEqual([206, { status: 'Workers scaling in progress...' }]);
  });

  it.each([
    ['/models/m?min_worker=3&max_worker=2', anError(400, 'BadRequestException', 'max_worker cannot be less than min_worker.')],
    ['/models/m?max_worker=0', anError(400, 'BadRequestException', 'max_worker cannot be less than min_worker.')],
    ['/models/m?min_worker=-1', anError(400, 'BadRequestException', 'min_worker cannot be negative.')],
    ['/models/unknown', anError(404, 'ModelNotFoundException', 'Model not found: unknown')],
    ['/models/m/9.9', anError(404, 'ModelVersionNotFoundException', 'Model version: 9.9 does not exist for model: m')],
    ['/models/m?model_version=9.9', anError(404, 'ModelVersionNotFoundException', 'Model version: 9.9 does not exist for model: m')],
  ])('to PUT %s is a refusal', async (target, refusal) => {
    const { models, told } = aManagementApi();
    expect(await told('PUT', target)).toEqual(refusal);
    expect(models.scaleWishes).toEqual([]);
  });

  it.each([
    [
      WorkersNotStarted({ model: 'm', version: undefined, status: 500 }),
      anError(500, 'InternalServerException', 'Failed to start workers for model m version: null'),
    ],
    [
      WorkersNotStarted({ model: 'm', version: '1.0', status: 507 }),
      anError(507, 'InternalServerException', 'Failed to start workers for model m version: 1.0'),
    ],
    [UnregisterTimedOut({ model: 'm' }), anError(408, 'RequestTimeoutException', 'Timed out while cleaning resources: m')],
  ])('to workers that fail is theirs: %s', async (error, failure) => {
    const { models, told } = aManagementApi();
    models.scaled = () => {
      throw error;
    };
    expect(await told('PUT', '/models/m?synchronous=true')).toEqual(failure);
  });
});
