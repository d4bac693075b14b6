import assert from 'node:assert/strict';
import { at, header, only, told } from '../answers.js';
import type { ArchiveRequest, Outcome, Step, TestArchive } from '../archive.js';
import { predict } from '../requests.js';

function add(sequence: string, number: number, more: Readonly<Record<string, string>> = {}): ArchiveRequest {
  return predict('stateful-sequence', String(number), { ts_request_sequence_id: sequence, ...more });
}

function sums({ answers }: Outcome): readonly unknown[] {
  return answers.map((answer) => at(told(answer), 'sum'));
}

function adds(name: string, requests: readonly ArchiveRequest[], expected: readonly number[]): Step {
  return { name, requests, check: (outcome) => assert.deepEqual(sums(outcome), expected) };
}

export const statefulSequence: TestArchive = {
  name: 'stateful-sequence',
  shows: '`sequenceBatching`: state of each sequence in the handler, kept by last use; ids given by the client and by the server',
  pack: { handler: 'handler.py' },
  answersCustomizedDescribe: false,
  steps: [
    {
      name: 'starts a sequence under the id of its caller and tells it back',
      requests: [add('red', 1, { ts_request_sequence_start: 'true' })],
      check: (outcome) => {
        assert.deepEqual(told(only(outcome)), { sum: 1, first: 'true' });
        assert.equal(header(only(outcome), 'ts_request_sequence_id'), 'red');
      },
    },
    adds('adds to it', [add('red', 10)], [11]),
    adds('keeps two sequences apart', [add('red', 100), add('blue', 5)], [111, 5]),
    adds('ends a sequence when its caller says so', [add('red', 0, { ts_request_sequence_end: 'true' })], [111]),
    adds('starts anew under the same id', [add('red', 7)], [7]),
    adds('forgets the sequence that was used least when its cache is full', [add('green', 1)], [1]),
    adds('so that blue starts anew', [add('blue', 5)], [5]),
    {
      name: 'gives an id to a sequence that has none, and says that it is the first of it',
      requests: [predict('stateful-sequence', '3')],
      check: (outcome) => {
        assert.equal(at(told(only(outcome)), 'first'), 'true');
        assert.match(header(only(outcome), 'ts_request_sequence_id') ?? '', /^ts-seq-[0-9a-f-]{36}$/);
      },
    },
  ],
};
