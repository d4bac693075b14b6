import assert from 'node:assert/strict';
import { assertRefused, only } from '../answers.js';
import type { Step, TestArchive } from '../archive.js';
import { predict } from '../requests.js';

function fails(wish: string, name: string, status: number, message: string): Step {
  return {
    name,
    requests: [predict('outcomes', wish)],
    check: (outcome) => assertRefused(only(outcome), status, 'InternalServerException', message),
  };
}

function answers(wish: string, name: string, body: string, status = 200, reason = ''): Step {
  return {
    name,
    requests: [predict('outcomes', wish)],
    check: (outcome) => assert.deepEqual([only(outcome).status, only(outcome).reason, only(outcome).body.toString()], [status, reason, body]),
  };
}

export const outcomes: TestArchive = {
  name: 'outcomes',
  shows: 'every way in which a handler’s call may end; packed as `tar.gz`',
  pack: { handler: 'handler.py', format: 'tgz' },
  steps: [
    answers('fine', 'answers text as it is', 'fine'),
    fails('exception', 'an exception is a failed prediction', 503, 'Prediction failed'),
    fails('prediction_exception', 'PredictionException names status and message', 599, 'not today'),
    fails('prediction_exception_without_code', 'PredictionException without a status is 500', 500, 'not today'),
    fails('too_large', 'PredictionException of 413 is 507', 507, 'too much'),
    ...[400, 401, 404, 405, 408, 409, 416, 418, 421, 422, 424, 425, 429, 431, 451, 499, 501, 504, 506, 508, 509, 510, 511, 520].map((status) =>
      fails(String(status), `PredictionException of ${status} is that`, status, 'as wished'),
    ),
    fails('memory', 'MemoryError is 507', 507, 'Out of resources'),
    fails('cuda', 'an exception that tells of CUDA is 507', 507, 'Out of resources'),
    fails('tuple', 'a tuple is no answer', 503, 'Invalid model predict output'),
    fails('nothing', 'None is no answer', 503, 'Invalid model predict output'),
    fails('too_many', 'two answers to one request are a fault', 503, 'number of batch response mismatched'),
    fails('too_few', 'no answer to one request is a fault', 503, 'number of batch response mismatched'),
    fails('a_set', 'what is no JSON is a fault', 503, 'Unsupported model output data type.'),
    answers('not_a_number', 'numbers that JSON has no word for are spelt as Python spells them', '{\n  "value": NaN,\n  "limit": Infinity\n}'),
    answers('null', 'None in the list is null', 'null'),
    answers(
      'words',
      'a dictionary is JSON, indented, in ASCII',
      '{\n  "gr\\u00fc\\u00dfe": [\n    "\\u65e5\\u672c",\n    1,\n    2.5,\n    true,\n    null,\n    [\n      1,\n      2\n    ]\n  ]\n}',
    ),
    answers('empty', 'empty text is an empty body', ''),
    {
      name: 'a tensor is a file of torch.save',
      requests: [predict('outcomes', 'tensor')],
      check: (outcome) => assert.deepEqual([only(outcome).status, only(outcome).body.subarray(0, 2).toString()], [200, 'PK']),
    },
    answers('status', 'the status of one request', 'later', 202, 'taken'),
    answers('all_status', 'the status of all requests', 'mine', 507, 'none left'),
    answers('fine', 'goes on after all that', 'fine'),
  ],
};
