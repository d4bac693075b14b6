import assert from 'node:assert/strict';
import { at, header, only, told } from '../answers.js';
import type { ArchiveRequest, Step, TestArchive } from '../archive.js';
import { explain, predict, predictJson } from '../requests.js';

/** A request whose body the handler gets under `name` as a value of a Python type. */
function arrives(what: string, request: ArchiveRequest, name: string, value: readonly [string, unknown]): Step {
  return { name: what, requests: [request], check: (outcome) => assert.deepEqual(at(told(only(outcome)), 'values', name), value) };
}

export const mirror: TestArchive = {
  name: 'mirror',
  shows: 'a function handler in a folder that isn’t packed: all that a handler is given, and all that it may set of the answer',
  pack: { handler: 'mirror:answer', format: 'no-archive' },
  steps: [
    arrives('gets a body without a type as bytes', predict('mirror', new Uint8Array([0, 255])), 'body', ['bytearray', [0, 255]]),
    arrives('gets JSON as its value', predictJson('mirror', { a: [1, 2.5, null, 'ü'] }), 'body', ['dict', { a: [1, 2.5, null, 'ü'] }]),
    arrives('gets JSON with a character set as its value', predictJson('mirror', [1], { 'Content-Type': 'application/json; charset=utf-8' }), 'body', [
      'list',
      [1],
    ]),
    arrives('gets broken JSON as bytes', predict('mirror', '{', { 'Content-Type': 'application/json' }), 'body', ['bytearray', [123]]),
    arrives('gets text as text', predict('mirror', 'grüße', { 'Content-Type': 'text/plain' }), 'body', ['str', 'grüße']),
    arrives('gets broken text as bytes', predict('mirror', new Uint8Array([255]), { 'Content-Type': 'text/plain' }), 'body', ['bytearray', [255]]),
    arrives('gets an empty body', predict('mirror', ''), 'body', ['bytearray', []]),
    arrives('gets the fields of a form', predict('mirror', 'a=1&b=x+y', { 'Content-Type': 'application/x-www-form-urlencoded' }), 'b', [
      'bytearray',
      [120, 32, 121],
    ]),
    {
      name: 'gets the parts of a form, each in its type',
      requests: [
        predict('mirror', {
          parts: {
            data: { content: new Uint8Array([1, 2]), fileName: 'a.bin', type: 'application/octet-stream' },
            wish: { content: '{"n": 1}', fileName: 'wish.json', type: 'application/json' },
            word: { content: 'hey', fileName: 'w.txt', type: 'text/plain' },
            bare: { content: 'field' },
          },
        }),
      ],
      check: (outcome) => {
        assert.deepEqual(at(told(only(outcome)), 'values'), {
          data: ['bytearray', [1, 2]],
          wish: ['dict', { n: 1 }],
          word: ['str', 'hey'],
          bare: ['bytearray', [102, 105, 101, 108, 100]],
        });
        assert.deepEqual(at(told(only(outcome)), 'types', 'wish'), { 'content-type': 'application/json' });
      },
    },
    {
      name: 'gets the rest of the path, and that it is no explanation',
      requests: [{ path: '/predictions/mirror/1.0/v1/chat', body: 'x' }],
      check: (outcome) => assert.deepEqual([at(told(only(outcome)), 'url_path'), at(told(only(outcome)), 'explain')], ['v1/chat', 'False']),
    },
    {
      name: 'gets that an explanation is wished',
      requests: [explain('mirror', 'x')],
      check: (outcome) => assert.equal(at(told(only(outcome)), 'explain'), 'True'),
    },
    {
      name: 'answers GET and PUT too',
      requests: [
        { method: 'GET', path: '/predictions/mirror' },
        { method: 'PUT', path: '/predictions/mirror', body: 'x' },
      ],
      check: ({ answers }) => {
        for (const answer of answers) assert.equal(at(told(answer), 'same_id'), true);
      },
    },
    {
      name: 'gets its manifest, its properties and its configuration in the types of YAML 1.1',
      requests: [predict('mirror', 'x')],
      check: (outcome) => {
        const answer = told(only(outcome));
        assert.deepEqual(at(answer, 'yaml', 'handler'), { answer: true, when: 750, octal: 8, thousand: 1000, note: 'text', again: 'text' });
        assert.deepEqual(at(answer, 'manifest'), { modelName: 'mirror', handler: 'mirror:answer', modelVersion: '1.0', configFile: 'model-config.yaml' });
        assert.deepEqual(at(answer, 'properties'), { batch_size: 1, gpu_id: null, limit_max_image_pixels: true, server_name: 'MMS', server_version: '0.12.0' });
        assert.equal(at(answer, 'model_name'), 'mirror');
      },
    },
    {
      name: 'sets status and phrase',
      requests: [predict('mirror', 'x', { 'X-Wish': 'teapot' })],
      check: (outcome) => assert.deepEqual([only(outcome).status, only(outcome).reason], [418, 'short and stout']),
    },
    {
      name: 'sets content type and headers',
      requests: [predict('mirror', 'x', { 'X-Wish': 'plain' })],
      check: (outcome) => {
        const answer = only(outcome);
        assert.deepEqual(
          [header(answer, 'content-type'), header(answer, 'x-told'), answer.body.toString()],
          ['text/plain', 'yes, "told"', 'plain words, ünïcode'],
        );
      },
    },
    {
      name: 'answers bytes as they are',
      requests: [predict('mirror', 'x', { 'X-Wish': 'bytes' })],
      check: (outcome) => assert.deepEqual([...only(outcome).body], [...Array(256).keys()]),
    },
  ],
};
