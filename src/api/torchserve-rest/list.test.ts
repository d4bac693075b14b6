import { describe, expect, it } from 'vitest';
import { aDescription, aServableModel } from '../../../test/fixtures/kept-model-service.js';
import { aManagementApi, anError } from '../../../test/fixtures/management-api.js';

/** The API before `count` models, named so that their order of names is their order of numbers. */
function anApiOf(count: number) {
  const api = aManagementApi();
  api.models.versions.splice(0);
  for (let i = 0; i < count; i++) {
    const name = `m${String(i).padStart(3, '0')}`;
    api.models.versions.push(aDescription({ model: aServableModel({ name, url: `${name}.mar` }) }));
  }
  return api;
}

describe('pages', () => {
  it.each([
    // [models, query, first name, how many, next page]
    [0, '', undefined, 0, undefined],
    [3, '', 'm000', 3, undefined],
    [100, '', 'm000', 100, '100'],
    [101, '', 'm000', 100, '100'],
    [101, 'next_page_token=100', 'm100', 1, undefined],
    [101, 'limit=101', 'm000', 100, '100'],
    [101, 'limit=-1', 'm000', 100, '100'],
    [101, 'limit=some', 'm000', 100, '100'],
    [5, 'limit=2', 'm000', 2, '2'],
    [5, 'limit=2&next_page_token=2', 'm002', 2, '4'],
    [5, 'limit=2&next_page_token=4', 'm004', 1, undefined],
    [4, 'limit=2&next_page_token=2', 'm002', 2, '4'],
    [4, 'limit=2&next_page_token=4', undefined, 0, undefined],
    [4, 'limit=2&next_page_token=99', undefined, 0, undefined],
    [4, 'limit=2&next_page_token=-2', 'm000', 2, '2'],
    [4, 'limit=2&next_page_token=x', 'm000', 2, '2'],
    [4, 'limit=0', undefined, 0, '0'],
    [4, 'limit=0&next_page_token=4', undefined, 0, '4'],
  ])('of %i models, asked with "%s"', async (models, query, first, size, next) => {
    const [status, page] = await anApiOf(models).told('GET', `/models?${query}`);
    const name = (i: number) => `m${String(i).padStart(3, '0')}`;
    const from = Number(first?.slice(1) ?? 0);
    const shown = Array.from({ length: size }, (_, i) => ({ modelName: name(from + i), modelUrl: `${name(from + i)}.mar` }));
    expect([status, page]).toEqual([200, next === undefined ? { models: shown } : { nextPageToken: next, models: shown }]);
  });
});

it('a model stands there once, with the url of its default version', async () => {
  const { models, told } = aManagementApi();
  expect(await told('GET', '/models')).toEqual([200, { models: [{ modelName: 'm', modelUrl: 'm.mar' }] }]);
  models.setDefault('m', '2.0');
  expect(await told('GET', '/models/')).toEqual([200, { models: [{ modelName: 'm', modelUrl: 'm2.mar' }] }]);
});

it('the page is pretty-printed, its token first', async () => {
  const reply = await anApiOf(1).ask('GET', '/models?limit=1');
  expect(reply.body).toBe('{\n  "nextPageToken": "1",\n  "models": [\n    {\n      "modelName": "m000",\n      "modelUrl": "m000.mar"\n    }\n  ]\n}\n');
  expect(reply.header('content-type')).toBe('application/json');
});

it.each(['PUT', 'DELETE', 'OPTIONS', 'PATCH'])('%s /models is not allowed', async (method) => {
  const refusal = anError(405, 'MethodNotAllowedException', 'Requested method is not allowed, please refer to API document.');
  expect(await aManagementApi().told(method, '/models')).toEqual(refusal);
});
