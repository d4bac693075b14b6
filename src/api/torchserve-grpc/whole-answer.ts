import { ResponseTooLarge } from '../../errors/backend.js';
import type { SconceError } from '../../errors/sconce-error.js';
import type { Answer, ResponsePart } from '../../inference/part.js';

/** What the pieces of one answer may come to together. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** The answer of a method that has one message for it: the pieces of a handler that streams are laid one after another. */
class WholeAnswer implements Answer {
  readonly #pieces: Uint8Array[] = [];
  #sizeBytes = 0;
  #settled = false;

  constructor(
    private readonly resolve: (part: ResponsePart) => void,
    private readonly reject: (error: SconceError) => void,
  ) {}

  part(part: ResponsePart): void {
    if (this.#settled) return;
    this.#sizeBytes += part.body.byteLength;
    if (this.#sizeBytes > MAX_ANSWER_BYTES) return this.fail(ResponseTooLarge({ limitBytes: MAX_ANSWER_BYTES }));
    this.#pieces.push(part.body);
    if (!part.last) return;
    this.#settled = true;
    this.resolve(this.#pieces.length === 1 ? part : { ...part, body: Buffer.concat(this.#pieces) });
  }

  fail(error: SconceError): void {
    this.#settled = true;
    this.#pieces.length = 0;
    this.reject(error);
  }
}

/** Runs `submit` with an answer, and gives the answer whole. */
export function wholeAnswer(submit: (answer: Answer) => void): Promise<ResponsePart> {
  return new Promise((resolve, reject) => submit(new WholeAnswer(resolve, reject)));
}
