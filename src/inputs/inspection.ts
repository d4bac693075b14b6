import { Invariant } from '../errors/admission.js';
import { InputRefused } from '../errors/inputs.js';
import { SconceError } from '../errors/sconce-error.js';
import type { InputRules } from '../inference/input-rules.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import { RequestView } from '../inference/request-view.js';
import type { Log, Observer } from '../observability/observer.js';
import { type TaskOptions, TaskTimedOut } from '../threads/task-pool.js';
import { guardedAnswer } from './guards/guarded-answer.js';
import { type FindGuard, Judges } from './guards/judges.js';
import type { InspectOutcome, InspectTask } from './inspect-thread.js';
import { type Inspected, Inspector } from './inspector.js';
import { ruledAnswer } from './output-rule.js';
import { textsOf } from './texts.js';

/** For an inspection on a thread, its wait for one included: a schema can be made to take for ever over a short body. */
const TIMEOUT_MS = 10_000;

/** What all inspections share. */
export interface InspectionParts {
  readonly pool: { run(task: InspectTask, options: TaskOptions): Promise<InspectOutcome> };
  readonly guards: FindGuard;
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
  readonly #before: Judges;
  readonly #after: Judges;
  /** Ends when the request that came last has been handed on; undefined: none is on its way. */
  #last: Promise<void> | undefined;

  constructor(
    private readonly rules: InputRules,
    private readonly of: { readonly model: string; readonly key: string; readonly ordered: boolean; readonly tenant?: string | undefined },
    private readonly next: Offer,
    private readonly parts: InspectionParts,
  ) {
    this.#inspector = new Inspector(rules);
    const judges = (on: 'input' | 'output') =>
      new Judges(
        { model: of.model, on },
        rules.guards.filter((guard) => guard.on === on),
        parts.guards,
        parts.log,
      );
    this.#before = judges('input');
    this.#after = judges('output');
  }

  /** Never throws, and never loses a request. */
  offer(request: InferenceRequest, answer: Answer): void {
    const sizeBytes = request.inputs.reduce((sum, { value }) => sum + value.byteLength, 0);
    const isShort = this.#inspector.isQuickFor(sizeBytes);
    if (isShort && this.#before.isEmpty && this.#last === undefined) return this.#inline(request, answer);
    const turn = this.of.ordered ? (this.#last ?? Promise.resolve()) : Promise.resolve();
    const handed = this.#later(request, answer, isShort, turn).finally(() => {
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

  async #later(request: InferenceRequest, answer: Answer, isShort: boolean, turn: Promise<void>): Promise<void> {
    try {
      const inspected = isShort ? this.#inspector.inspect(request) : await this.#onThread(request);
      const refusal = await this.#before.refusal((pointers) => textsOf(inspected, pointers));
      await turn;
      if (refusal !== undefined) return this.#refuse(request, answer, refusal);
      this.#pass(request, inspected, answer);
    } catch (error) {
      this.#refuse(request, answer, error);
    }
  }

  async #onThread({ inputs, headers }: InferenceRequest): Promise<Inspected> {
    const task = { rules: this.rules, key: this.of.key, request: { inputs, headers } };
    const outcome = await this.parts.pool.run(task, { tenant: this.of.tenant, timeoutMs: TIMEOUT_MS }).catch((error: unknown) => {
      if (!(error instanceof TaskTimedOut)) throw error;
      throw InputRefused({ status: 422, place: '', rule: 'schema', what: `it took longer than ${TIMEOUT_MS / 1000} s to be inspected` });
    });
    if (outcome.kind === 'passed') return outcome.request;
    const { code, kind, message, rendering, reason } = outcome.error;
    throw new SconceError(code, kind, message, rendering, reason);
  }

  #pass(request: InferenceRequest, { inputs, headers }: Inspected, answer: Answer): void {
    const { outputs } = this.rules;
    const ruled = outputs === undefined ? answer : ruledAnswer(answer, outputs);
    const refused = (error: SconceError) => this.parts.observer.inferenceRefused(request.model, error.reason ?? 'guard_refused');
    this.next(new RequestView(request, { inputs, headers }), this.#after.isEmpty ? ruled : guardedAnswer(ruled, this.#after, refused));
  }

  #refuse(request: InferenceRequest, answer: Answer, error: unknown): void {
    const known = error instanceof SconceError ? error : Invariant({ what: 'an inspection failed' }, error);
    if (Invariant.is(known)) this.parts.log.error(`the inputs of ${request.model} could not be inspected`, error);
    this.parts.observer.inferenceRefused(request.model, known.reason ?? 'input_refused');
    answer.fail(known);
  }
}
