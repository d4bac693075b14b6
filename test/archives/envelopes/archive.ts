import assert from 'node:assert/strict';
import { at, only, told } from '../answers.js';
import type { ArchiveRequest, Step, TestArchive } from '../archive.js';
import { predictJson } from '../requests.js';

function behind(envelope: string, handler: 'base_handler' | 'tensors:add_up', steps: readonly Step[]): TestArchive {
  return {
    name: `envelope-${envelope}`,
    folder: 'envelopes',
    shows: `${handler === 'base_handler' ? '`base_handler` with TorchScript' : 'a function handler'} behind \`service_envelope=${envelope}\``,
    pack: handler === 'base_handler' ? { handler, serializedFile: 'made:sums.pt' } : { handler },
    settings: { service_envelope: envelope },
    steps,
  };
}

function answers(name: string, request: ArchiveRequest, expected: unknown): Step {
  return { name, requests: [request], check: (outcome) => assert.deepEqual(told(only(outcome)), expected) };
}

const TENSOR = { name: 'rows', shape: [2, 3], datatype: 'INT64', data: [1, 2, 3, 4, 5, 6] };

export const bodyEnvelope = behind('body', 'base_handler', [answers('takes a body as a row', predictJson('envelope-body', [1, 2, 3]), 6)]);

export const jsonEnvelope = behind('json', 'base_handler', [
  answers(
    'takes rows as instances',
    predictJson('envelope-json', {
      instances: [
        [1, 2, 3],
        [4, 5, 6],
      ],
    }),
    { predictions: [6, 15] },
  ),
  {
    name: 'fails without instances',
    requests: [predictJson('envelope-json', { rows: [] })],
    check: (outcome) => assert.equal(only(outcome).status, 503),
  },
]);

export const kserveEnvelope = behind('kserve', 'base_handler', [
  answers(
    'takes instances and answers predictions',
    {
      ...predictJson('x', {
        instances: [
          [1, 2, 3],
          [4, 5, 6],
        ],
      }),
      path: '/v1/models/envelope-kserve:predict',
    },
    {
      predictions: [6, 15],
    },
  ),
]);

export const kserve2Envelope = behind('kservev2', 'tensors:add_up', [
  {
    name: 'takes tensors and answers tensors under the id of the caller',
    requests: [{ ...predictJson('x', { id: 'me', inputs: [TENSOR] }), path: '/v2/models/envelope-kservev2/infer' }],
    check: (outcome) => {
      const answer = told(only(outcome));
      assert.equal(at(answer, 'id'), 'me');
      assert.equal(at(answer, 'model_name'), 'envelope-kservev2');
      assert.deepEqual(at(answer, 'outputs'), [{ name: 'rows', datatype: 'INT64', data: [6, 15], shape: [2] }]);
    },
  },
]);
