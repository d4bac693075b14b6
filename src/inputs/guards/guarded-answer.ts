import type { SconceError } from '../../errors/sconce-error.js';
import type { Answer, ResponsePart } from '../../inference/part.js';
import { sniffedType, textOf } from '../media-type.js';
import { textsOfBytes } from '../texts.js';
import type { Judges } from './judges.js';

/** So much of what was sent is judged again with what comes, for what stands across the border of two pieces. */
const OVERLAP_CHARACTERS = 300;

/** An answer that guards judge: whole where it is one piece, else piece by piece before each is sent. What was sent can't be recalled: a refused stream ends abruptly. `refused` hears of a refusal. */
export function guardedAnswer(answer: Answer, judges: Judges, refused: (error: SconceError) => void): Answer {
  let last: Promise<void> = Promise.resolve();
  let sent = '';
  let isOver = false;
  const send = async (part: ResponsePart, isWhole: boolean): Promise<void> => {
    if (isOver) return;
    const piece = textOf(part.body, !part.last) ?? '';
    const refusal = await judges.refusal((pointers) =>
      isWhole ? textsOfBytes(part.body, sniffedType(part.body), pointers) : [sent + piece].filter((text) => text !== ''),
    );
    sent = (sent + piece).slice(-OVERLAP_CHARACTERS);
    if (refusal === undefined) return answer.part(part);
    isOver = true;
    refused(refusal);
    answer.fail(refusal);
  };
  let isFirst = true;
  return {
    part: (part) => {
      const isWhole = isFirst && part.last;
      isFirst = false;
      last = last.then(() => send(part, isWhole));
    },
    fail: (error) => {
      last = last.then(() => {
        if (!isOver) answer.fail(error);
      });
    },
  };
}
