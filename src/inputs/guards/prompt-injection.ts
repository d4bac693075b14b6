import type { Guard } from './guard.js';
import { BIAS, SCALE, WEIGHTS } from './prompt-injection-weights.js';
import { sentencesOf, slotsOf } from './text-features.js';

/** Of one text; the text rules bound longer ones. */
const MAX_SENTENCES = 1000;
const MAX_HIDDEN = 64;

/** The built-in detector of prompt injection: a logistic regression that scripts/train-prompt-injection.py trains. docs/inputs.md tells what it finds and what it doesn't. */
export class PromptInjectionGuard implements Guard {
  readonly name = 'prompt-injection';
  /** One signed byte a slot. */
  readonly #weights = new Int8Array(Buffer.from(WEIGHTS, 'base64'));

  async judge(texts: readonly string[]): Promise<number> {
    return Math.max(0, ...texts.map((text) => this.score(text)));
  }

  /** That of the worst sentence, 0 to 1; text that is hidden as base64 is looked at, too. */
  score(text: string): number {
    const sentences = [text, ...hidden(text)].flatMap((one) => sentencesOf(one, MAX_SENTENCES));
    return sentences.reduce((worst, sentence) => Math.max(worst, this.#scoreOf(sentence)), 0);
  }

  #scoreOf(sentence: string): number {
    const sum = slotsOf(sentence).reduce((total, slot) => total + (this.#weights[slot] ?? 0), 0);
    return 1 / (1 + Math.exp(-(BIAS + SCALE * sum)));
  }
}

/** What stands in a text as base64 and reads as text itself. */
function hidden(text: string): readonly string[] {
  return [...text.matchAll(/[A-Za-z0-9+/]{24,}={0,2}/g)].slice(0, MAX_HIDDEN).flatMap(([run]) => {
    const read = Buffer.from(run, 'base64').toString();
    return /^[\p{L}\p{N}\p{P}\p{Z}\s]+$/u.test(read) ? [read] : [];
  });
}
