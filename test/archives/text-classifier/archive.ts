import assert from 'node:assert/strict';
import { assertClose, at, only, sum, told } from '../answers.js';
import type { Outcome, TestArchive } from '../archive.js';
import { explain, predict } from '../requests.js';

/** The model's width. Captum explains its embedding, whose one row is the whole text. */
const EMBEDDED_IN = 16;
const SPORT = "The team's striker WON the <b>match</b>!";
const BANK = "It's the bank's shares that fell.";

export const textClassifier: TestArchive = {
  name: 'text-classifier',
  shows: 'built-in `text_classifier` with a vocabulary and labels; explanations with Captum',
  pack: {
    handler: 'text_classifier',
    modelFile: 'model.py',
    serializedFile: 'made:weights.pt',
    extraFiles: ['made:index_to_name.json', 'made:source_vocab.pt'],
  },
  steps: [
    ...(
      [
        ['sport', SPORT, 'Sports'],
        ['bank', BANK, 'Business'],
      ] as const
    ).map(([name, text, subject]) => ({
      name: `knows a text of ${name} in spite of markup, contractions and capitals`,
      requests: [predict('text-classifier', text), predict('text-classifier', text, { 'Content-Type': 'text/plain' })],
      check: ({ answers, expected }: Outcome) => {
        for (const answer of answers) {
          const probabilities = told(answer);
          assertClose(probabilities, at(expected, name, 'probabilities'));
          assert.ok(Number(at(probabilities, subject)) > 0.8, `${subject} has ${at(probabilities, subject)}`);
        }
      },
    })),
    {
      name: 'takes a text as a part of a form',
      requests: [predict('text-classifier', { parts: { data: { content: SPORT } } })],
      check: (outcome) => assertClose(told(only(outcome)), at(outcome.expected, 'sport', 'probabilities')),
    },
    {
      name: 'explains a text: its words, and the weights of what they are embedded in, which add up to one',
      requests: [explain('text-classifier', SPORT)],
      check: (outcome) => {
        const explanation = told(only(outcome));
        assert.deepEqual(at(explanation, 'words'), at(outcome.expected, 'sport', 'words'));
        assert.deepEqual([at(explanation, 'importances', 'length'), at(explanation, 'importances', 0, 'length')], [1, EMBEDDED_IN]);
        assert.ok(Math.abs(sum(at(explanation, 'importances')) - 1) < 1e-5);
      },
    },
  ],
};
