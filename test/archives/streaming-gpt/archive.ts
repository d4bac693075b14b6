import assert from 'node:assert/strict';
import { assertRefused, at, header, only } from '../answers.js';
import type { TestArchive } from '../archive.js';
import { predictJson } from '../requests.js';

const PROMPT = 'every night the';

export const streamingGpt: TestArchive = {
  name: 'streaming-gpt',
  shows: 'generation with a small trained GPT, a letter a chunk by `send_intermediate_predict_response`',
  pack: { handler: 'handler.py', serializedFile: 'made:weights.pt', extraFiles: ['model.py'] },
  steps: [
    {
      name: 'goes on with the story that it was trained on, a chunk for each letter',
      requests: [predictJson('streaming-gpt', { prompt: PROMPT, letters: 24 })],
      check: (outcome) => {
        const answer = only(outcome);
        const continuation = String(at(outcome.expected, 'continuation'));
        assert.deepEqual([answer.status, answer.isCutOff], [200, false]);
        assert.deepEqual(answer.chunks?.map(String), [...continuation]);
        assert.equal(header(answer, 'ts_stream_next'), 'true');
        assert.equal(header(answer, 'content-type'), 'text/plain; charset=utf-8');
      },
    },
    {
      name: 'streams to two callers at once, each its own',
      requests: [predictJson('streaming-gpt', { prompt: PROMPT, letters: 4 }), predictJson('streaming-gpt', { prompt: PROMPT, letters: 3 })],
      check: ({ answers, expected }) =>
        assert.deepEqual(
          answers.map(({ body }) => body.toString()),
          [4, 3].map((letters) => String(at(expected, 'continuation')).slice(0, letters)),
        ),
    },
    {
      name: 'answers a single letter whole',
      requests: [predictJson('streaming-gpt', { prompt: PROMPT, letters: 1 })],
      check: (outcome) => {
        const answer = only(outcome);
        assert.deepEqual([answer.status, answer.chunks, answer.body.toString()], [200, undefined, String(at(outcome.expected, 'continuation'))[0]]);
      },
    },
    {
      name: 'refuses a prompt with letters that it does not know, with its own status',
      requests: [predictJson('streaming-gpt', { prompt: 'ÄÖÜ', letters: 3 })],
      check: (outcome) => assertRefused(only(outcome), 422, 'InternalServerException', 'The prompt may hold small letters, blanks, commas and full stops'),
    },
    {
      name: 'breaks off a stream whose handler fails in the middle',
      requests: [predictJson('streaming-gpt', { prompt: PROMPT, letters: 10, fail_after: 3 })],
      check: (outcome) => {
        const answer = only(outcome);
        assert.deepEqual([answer.status, answer.isCutOff], [200, true]);
        assert.equal(answer.body.toString(), String(at(outcome.expected, 'continuation')).slice(0, 3));
      },
    },
  ],
};
