import { Invariant } from '../errors/admission.js';
import { SconceError } from '../errors/sconce-error.js';
import type { InputRules } from '../inference/input-rules.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Log, Observer } from '../observability/observer.js';
import type { InspectOutcome, InspectTask } from './inspect-thread.js';
import { type Inspected, Inspector } from './inspector.js';
import { judgedAnswer } from './output-rule.js';

/** Longer bodies are inspected on a thread: the event loop has other clients. */
const INLINE_BYTES = 65_536;

/** What all inspections share. */
export interface InspectionParts {
  readonly pool: { run(task: InspectTask): Promise<InspectOutcome> };
  readonly observer: Observer;
  readonly log: Log;
}

/** Takes a request in its turn, as the scheduler does. */
export type Offer = (request: InferenceRequest, answer: Answer) => void;

/**
 * Stands before one served version and lets through what its rules allow. Invariants: each request ends in `next`, or its answer fails, once; where
 * requests have an order (`ordered`), they reach `next` in the order in which they came.
 */
export class Inspection {
  readonly #inspector: Inspector;
  /** Ends when the request that came last has been handed on; undefined: none is on its way. */
  #last: Promise<void> | undefined;

  constructor(
    private readonly rules: InputRules,
    private readonly of: { readonly key: string; readonly ordered: boolean },
    private readonly next: Offer,
    private readonly parts: InspectionParts,
  ) {
    this.#inspector = new Inspector(rules);
  }

  /** Never throws, and never loses a request. */
  offer(request: InferenceRequest, answer: Answer): void {
    const sizeBytes = request.inputs.reduce((sum, { value }) => sum + value.byteLength, 0);
    const isShort = sizeBytes <= INLINE_BYTES;
    if (isShort && this.#last === undefined) return this.#inline(request, answer);
    const before = this.of.ordered ? (this.#last ?? Promise.resolve()) : Promise.resolve();
    const handed = (isShort ? before.then(() => this.#inline(request, answer)) : this.#onThread(request, answer, before)).finally(() => {
      if (this.#last === handed) this.#last = undefined;
    });
    if (this.of.ordered) this.#last = handed;
  }

  #inline(request: InferenceRequest, answer: Answer): void {
    try {
      this.#pass(request, this.#inspector.inspect(request), answer);
    } catch (error) {
      this.#refuse(request, answer, error);
    }
  }

  async #onThread(request: InferenceRequest, answer: Answer, before: Promise<void>): Promise<void> {
    try {
      const { inputs, headers } = request;
      const outcome = await this.parts.pool.run({ rules: this.rules, key: this.of.key, request: { inputs, headers } });
      await before;
      if (outcome.kind === 'passed') return this.#pass(request, outcome.request, answer);
      const { code, kind, message, rendering, reason } = outcome.error;
      this.#refuse(request, answer, new SconceError(code, kind, message, rendering, reason));
    } catch (error) {
      this.#refuse(request, answer, error);
    }
  }

  #pass(request: InferenceRequest, { inputs, headers }: Inspected, answer: Answer): void {
    const { outputs } = this.rules;
    this.next({ ...request, inputs, headers }, outputs === undefined ? answer : judgedAnswer(answer, outputs));
  }

  #refuse(request: InferenceRequest, answer: Answer, error: unknown): void {
    const known = error instanceof SconceError ? error : Invariant({ what: 'an inspection failed' }, error);
    if (Invariant.is(known)) this.parts.log.error(`the inputs of ${request.model} could not be inspected`, error);
    this.parts.observer.inferenceRefused(request.model, known.reason ?? 'input_refused');
    answer.fail(known);
  }
}
