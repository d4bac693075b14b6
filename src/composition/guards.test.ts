import { expect, it } from 'vitest';
import { createGuards } from './guards.js';

it('a guard that a model has no business with is not asked, and fails as one that is not there', async () => {
  const asked: string[] = [];
  const find = createGuards(
    ({ model }, answer) => {
      asked.push(model);
      answer.part({ status: 200, reason: '', headers: [], body: Buffer.from('0.25'), last: true });
    },
    (model, guard) => model.slice(0, 2) === guard.slice(0, 2),
  );
  const score = (model: string) => find({ kind: 'model', name: 'a-guard' }, model).judge(['x'], new AbortController().signal);

  expect(await score('a-model')).toBe(0.25);
  await expect(score('b-model')).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND', message: 'Model not found: a-guard' });
  expect(asked).toEqual(['a-guard']);
});
