import { expect, it } from 'vitest';
import { Principal } from '../inference/principal.js';
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

it('a guard is asked in the name of the model that it judges for, so that tenants who share it have their turns', async () => {
  const asked: string[] = [];
  const find = createGuards(
    ({ principal }, answer) => {
      asked.push(principal.tenant);
      answer.part({ status: 200, reason: '', headers: [], body: Buffer.from('0'), last: true });
    },
    () => true,
    (model) => new Principal('models', model.slice(0, 1), []),
  );

  for (const model of ['a-model', 'b-model']) await find({ kind: 'model', name: 'guard' }, model).judge(['x'], new AbortController().signal);

  expect(asked).toEqual(['a', 'b']);
});
