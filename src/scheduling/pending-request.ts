import type { SconceError } from '../errors/sconce-error.js';
import type { Answer, ResponsePart, Timings } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';

/**
 * An accepted request on its way through a dispatcher. Whatever happens to it, its answer ends exactly once: later words are dropped here.
 *
 *  state     event → next
 *  queued    taken into a batch → running, deadline/cancel/refusal → ended
 *  running   last part, failure, deadline → ended; worker died → queued (once, alone) or ended
 *  ended     –
 */
export class PendingRequest {
  /** Worker deaths that this request was in flight at. */
  deaths = 0;
  /** Runs in a batch of its own: it is being retried after a worker's death, or it is a describe request. */
  alone: boolean;
  /** A part has reached the client: it can no longer be tried again. */
  begun = false;
  ended = false;
  /** Its client's going is heard of while it waits. */
  watched = false;
  /** undefined while it waits. */
  dispatchedAtMs: number | undefined;
  batchWaitMs = 0;
  #deadlineTimer: NodeJS.Timeout | undefined;
  readonly #onEnd: (() => void)[] = [];

  constructor(
    readonly request: InferenceRequest,
    private readonly answer: Answer,
    readonly enqueuedAtMs: number,
  ) {
    this.alone = request.purpose === 'describe';
  }

  /** Runs `expired` at the deadline unless the request has ended by then. */
  watchDeadline(afterMs: number, expired: () => void): void {
    this.#deadlineTimer = setTimeout(expired, Math.max(0, afterMs));
  }

  /** Called once, when the request ends; listeners in the order they came. */
  onEnd(listener: () => void): void {
    this.#onEnd.push(listener);
  }

  /** `nowMs`: for a worker that doesn't say how long it took. */
  part(part: ResponsePart, nowMs: number): void {
    if (this.ended) return;
    this.begun = true;
    if (part.last) this.#end();
    const { status, reason, headers, body, last } = part;
    const dispatchedAtMs = this.dispatchedAtMs ?? nowMs;
    const timings: Timings = {
      queueMs: dispatchedAtMs - this.enqueuedAtMs - this.batchWaitMs,
      batchWaitMs: this.batchWaitMs,
      handlerMs: part.timings?.handlerMs ?? nowMs - dispatchedAtMs,
    };
    this.answer.part({ status, reason, headers, body, last, timings });
  }

  fail(error: SconceError): void {
    if (this.ended) return;
    this.#end();
    this.answer.fail(error);
  }

  #end(): void {
    this.ended = true;
    clearTimeout(this.#deadlineTimer);
    for (const listener of this.#onEnd) listener();
  }
}
