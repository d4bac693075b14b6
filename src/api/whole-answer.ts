import { ResponseTooLarge } from '../errors/backend.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { Answer, ResponsePart } from '../inference/part.js';

/** What the pieces of one answer may come to together. */
export interface AnswerBound {
  readonly limitBytes: number;
  readonly error: (facts: { readonly limitBytes: number }) => SconceError;
}

const BOUND: AnswerBound = { limitBytes: 64 * 1024 * 1024, error: ResponseTooLarge };

/** The answer of a method that has one message for it: the pieces of a handler that streams are laid one after another, under the head of the first. */
class WholeAnswer implements Answer {
  readonly #pieces: ResponsePart[] = [];
  #sizeBytes = 0;
  #settled = false;

  constructor(
    private readonly bound: AnswerBound,
    private readonly resolve: (part: ResponsePart) => void,
    private readonly reject: (error: SconceError) => void,
  ) {}

  part(part: ResponsePart): void {
    if (this.#settled) return;
    this.#sizeBytes += part.body.byteLength;
    if (this.#sizeBytes > this.bound.limitBytes) return this.fail(this.bound.error(this.bound));
    this.#pieces.push(part);
    if (!part.last) return;
    this.#settled = true;
    const [first = part] = this.#pieces;
    this.resolve(first.last ? first : { ...first, last: true, body: Buffer.concat(this.#pieces.map(({ body }) => body)) });
  }

  fail(error: SconceError): void {
    this.#settled = true;
    this.#pieces.length = 0;
    this.reject(error);
  }
}

/** Runs `submit` with an answer, and gives the answer whole. Rejects with its failure, and with the bound's error for one that is too long. */
export function wholeAnswer(submit: (answer: Answer) => void, bound: AnswerBound = BOUND): Promise<ResponsePart> {
  return new Promise((resolve, reject) => submit(new WholeAnswer(bound, resolve, reject)));
}
