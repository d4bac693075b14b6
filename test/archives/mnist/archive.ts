import assert from 'node:assert/strict';
import { assertClose, assertRefused, at, only, sum, told } from '../answers.js';
import type { Outcome, TestArchive } from '../archive.js';
import { describeCustomized, explain, predict } from '../requests.js';

const DIGITS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

export const mnist: TestArchive = {
  name: 'mnist',
  shows: 'eager model file, state dict, class handler on `image_classifier`, explanation of a picture, description of itself',
  pack: { handler: 'handler.py', modelFile: 'model.py', serializedFile: 'made:weights.pt' },
  steps: [
    ...DIGITS.map((digit) => ({
      name: `reads the picture of a ${digit}`,
      requests: [predict('mnist', { demo: `images/${digit}.png` })],
      check: (outcome: Outcome) => assertClose(told(only(outcome)), { digit, certainty: at(outcome.expected, 'certainties', digit) }),
    })),
    {
      name: 'takes a picture as a part of a form, as base64 text and as numbers',
      requests: [
        predict('mnist', { parts: { data: { content: { demo: 'images/7.png' }, fileName: '7.png', type: 'image/png' } } }),
        predict('mnist', { made: 'seven.txt' }, { 'Content-Type': 'text/plain' }),
        predict('mnist', { made: 'seven.json' }, { 'Content-Type': 'application/json' }),
      ],
      check: ({ answers, expected }) => {
        for (const answer of answers) assertClose(told(answer), { digit: 7, certainty: at(expected, 'certainties', 7) });
      },
    },
    {
      name: 'answers under its version too, and under no other',
      requests: [
        { path: '/predictions/mnist/1.0', body: { demo: 'images/4.png' } },
        { path: '/predictions/mnist/2.0', body: { demo: 'images/4.png' } },
      ],
      check: ({ answers: [known, unknown] }) => {
        assert.equal(at(told(known), 'digit'), 4);
        assert.ok(unknown !== undefined);
        assertRefused(unknown, 404, 'ModelVersionNotFoundException', 'Model version: 2.0 does not exist for model: mnist');
      },
    },
    {
      name: 'fails on what is no picture',
      requests: [predict('mnist', 'not a picture'), predict('mnist', '')],
      check: ({ answers }) => {
        for (const answer of answers) assertRefused(answer, 503, 'InternalServerException', 'Prediction failed');
      },
    },
    {
      name: 'describes itself',
      requests: [describeCustomized('mnist')],
      check: (outcome) => assert.deepEqual(at(told(only(outcome)), 0, 'customizedMetadata'), { reads: 'a picture of 28 x 28', digits: DIGITS }),
    },
    {
      name: 'explains a zero: a weight for each pixel, which add up to what the picture changes',
      requests: [explain('mnist', { demo: 'images/0.png' })],
      check: (outcome) => {
        const weights = told(only(outcome));
        assert.deepEqual([at(weights, 'length'), at(weights, 0, 'length'), at(weights, 0, 0, 'length')], [1, 28, 28]);
        const change = Number(at(outcome.expected, 'zero_over_nothing'));
        assert.ok(Math.abs(sum(weights) - change) < 0.1 * Math.abs(change), `the weights add up to ${sum(weights)}, not to ${change}`);
      },
    },
  ],
};
