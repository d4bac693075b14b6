import { expect, it } from 'vitest';
import { ResponseTooLarge } from '../errors/backend.js';
import type { ResponsePart } from '../inference/part.js';
import { wholeAnswer } from './whole-answer.js';

const piece = (text: string, over: Partial<ResponsePart> = {}): ResponsePart => ({
  status: 200,
  reason: '',
  headers: [],
  body: Buffer.from(text),
  last: false,
  ...over,
});

it('has the head of the first piece: on later ones it counts for nothing', async () => {
  const { status, headers, body } = await wholeAnswer((answer) => {
    answer.part(piece('a', { status: 201, headers: [['x', '1']] }));
    answer.part(piece('b'));
    answer.part(piece('c', { last: true }));
  });

  expect([status, headers, Buffer.from(body).toString()]).toEqual([201, [['x', '1']], 'abc']);
});

it('has a bound', async () => {
  const endless = wholeAnswer(
    (answer) => {
      for (let n = 0; n < 5; n += 1) answer.part(piece('12'));
    },
    { limitBytes: 8, error: ResponseTooLarge },
  );

  await expect(endless).rejects.toSatisfy(ResponseTooLarge.is);
});
