import { Invariant } from '../../errors/admission.js';
import type { SconceError } from '../../errors/sconce-error.js';
import type { Answer, ResponsePart, Timings } from '../../inference/part.js';
import type { HeaderPair, InferenceRequest } from '../../inference/request.js';
import type { Log, Observer } from '../../observability/observer.js';
import type { HttpReply } from '../http-exchange.js';
import { becomesEvents, errorEvent, eventHeaders, eventOf, KEEP_ALIVE, KEEP_ALIVE_MS } from './event-stream.js';

export interface AnswerWitness {
  readonly observer: Pick<Observer, 'inferenceAnswered'>;
  readonly log: Log;
}

/**
 * Writes the parts of one prediction as an HTTP answer: one part alone as a plain answer, several as chunks of one part each. A failure after the first
 * chunk cuts the connection without the terminating chunk, so that no client takes the torso for the whole; so does a client that reads too slowly.
 * A client that asks for server-sent events gets each part of a stream as one, comments while nothing comes, and a failure as an event of its own.
 */
export class RestAnswer implements Answer {
  readonly #request: InferenceRequest;
  readonly #reply: HttpReply;
  readonly #witness: AnswerWitness;
  #state: 'waiting' | 'streaming' | 'ended' | 'cut' = 'waiting';
  #queueMs = 0;
  /** Ends the comments; set while the answer is a stream of events. */
  #events: { readonly timer: NodeJS.Timeout; readonly quiet: () => void } | undefined;

  constructor(request: InferenceRequest, reply: HttpReply, witness: AnswerWitness) {
    this.#request = request;
    this.#reply = reply;
    this.#witness = witness;
  }

  part(part: ResponsePart): void {
    if (this.#state === 'ended') return this.#saidTooMuch('a part');
    if (part.timings !== undefined) this.#queueMs = part.timings.queueMs;
    if (this.#state === 'waiting') this.#first(part);
    else if (this.#state === 'streaming') this.#next(part);
    if (!part.last) return;
    this.#state = 'ended';
    this.#events?.quiet();
    const { model, version, receivedAtMs } = this.#request;
    this.#witness.observer.inferenceAnswered(model, version, (performance.now() - receivedAtMs) * 1000, this.#queueMs * 1000);
  }

  fail(error: SconceError): void {
    if (this.#state === 'ended') return this.#saidTooMuch('a failure');
    const before = this.#state;
    this.#state = 'ended';
    this.#events?.quiet();
    if (error.code === Invariant.code) this.#witness.log.error(`request ${this.#request.id} met an internal error`, error);
    if (before === 'waiting') this.#reply.fail(error);
    else if (before === 'streaming' && this.#events !== undefined && this.#reply.chunk(errorEvent(error))) this.#reply.end();
    else this.#reply.abort();
  }

  #first(part: ResponsePart): void {
    const headers: HeaderPair[] = [...part.headers, ['Server-Timing', serverTiming(part.timings, performance.now() - this.#request.receivedAtMs)]];
    if (part.last) {
      this.#reply.send(part.status, part.body, headers, part.reason);
      return;
    }
    this.#state = 'streaming';
    const asEvents = becomesEvents(this.#request.headers, part);
    this.#reply.open(part.status, asEvents ? eventHeaders(headers) : headers, part.reason);
    if (asEvents) this.#keepAlive();
    this.#send(part);
  }

  #next(part: ResponsePart): void {
    if (this.#send(part) && part.last) this.#reply.end();
  }

  /** An empty last part only ends a stream; as an event it would be a word of its own. */
  #send({ body, last }: ResponsePart): boolean {
    if (this.#events === undefined) return this.#chunk(body);
    if (last && body.length === 0) return true;
    this.#events.timer.refresh();
    return this.#chunk(eventOf(body));
  }

  #keepAlive(): void {
    const { cancelled } = this.#request;
    const timer = setInterval(() => this.#chunk(KEEP_ALIVE), KEEP_ALIVE_MS).unref();
    const quiet = (): void => {
      clearInterval(timer);
      cancelled.removeEventListener('abort', quiet);
    };
    cancelled.addEventListener('abort', quiet, { once: true });
    this.#events = { timer, quiet };
  }

  #chunk(bytes: Uint8Array): boolean {
    if (this.#reply.chunk(bytes)) return true;
    this.#state = 'cut';
    this.#events?.quiet();
    this.#witness.log.info(`The client of request ${this.#request.id} reads too slowly; its stream is cut`);
    this.#reply.abort();
    return false;
  }

  #saidTooMuch(what: string): void {
    this.#witness.log.error(`request ${this.#request.id} got ${what} after its end`, Invariant({ what: 'an answer ended twice' }));
  }
}

/** https://www.w3.org/TR/server-timing/ : milliseconds with up to three decimals. */
function serverTiming(timings: Timings | undefined, totalMs: number): string {
  const total = `total;dur=${millis(totalMs)}`;
  if (timings === undefined) return total;
  return `queue;dur=${millis(timings.queueMs)}, batch;dur=${millis(timings.batchWaitMs)}, handler;dur=${millis(timings.handlerMs)}, ${total}`;
}

function millis(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
