import { randomUUID } from 'node:crypto';
import { BadRequest } from '../../errors/admission.js';
import { Draining } from '../../errors/scheduling.js';
import type { HeaderPair } from '../../inference/request.js';
import type { Observer } from '../../observability/observer.js';
import type { GrpcCall, GrpcReceiver, GrpcReply } from '../grpc-exchange.js';
import { ErrorInfo } from '../grpc-generated/google/rpc/error_details.js';
import type { PredictionResponse, PredictionsRequest } from '../grpc-generated/inference.js';
import { type FaultLog, statusOf } from '../grpc-method.js';
import { linesOf, renderStatus } from '../grpc-status.js';
import type { InferencePort } from '../torchserve-rest/inference-port.js';
import { INFERENCE_DIALECT } from './inference-dialect.js';
import { readPrediction } from './prediction.js';

/** Names of the headers by which a handler knows its sequence, and of the inputs by which a client begins and ends one. */
export interface SequenceKeys {
  readonly id: string;
  readonly start: string;
  readonly end: string;
}

interface RequestStreamOptions {
  readonly call: GrpcCall;
  readonly reply: GrpcReply<PredictionResponse>;
  readonly gate: InferencePort;
  readonly observer: Observer;
  readonly keys: SequenceKeys;
  readonly logFault: FaultLog;
}

/** Requests of one stream that may be unanswered; the next is read when one of them is. */
const MAX_OPEN_REQUESTS = 64;
const ERROR_INFO = 'type.googleapis.com/google.rpc.ErrorInfo';

/**
 * The requests of one StreamPredictions2 call. Each is answered for itself, its failure too, in `status`; the call ends when the client has said its last
 * and all are answered.
 *
 *  state    event → next                                  promise while here
 *  reading  client's last → finishing, drain → closing    up to MAX_OPEN_REQUESTS requests are open
 *  finishing  all answered → ended with OK                nothing more is read
 *  closing  all answered → ended with UNAVAILABLE         what comes is refused in `status`
 */
export class RequestStream implements GrpcReceiver<PredictionsRequest> {
  readonly #options: RequestStreamOptions;
  #state: 'reading' | 'finishing' | 'closing' = 'reading';
  #open = 0;
  #onFewer: (() => void) | undefined;

  constructor(options: RequestStreamOptions) {
    this.#options = options;
    options.call.onDrain(() => {
      if (this.#state === 'reading') this.#state = 'closing';
      this.#endWhenDone();
    });
  }

  /** Resolves when the next request may be read: not before a slow client has read its answers. */
  async message(request: PredictionsRequest): Promise<void> {
    this.#begin(request);
    await this.#options.reply.readable();
    if (this.#open < MAX_OPEN_REQUESTS) return;
    await new Promise<void>((resolve) => {
      this.#onFewer = resolve;
    });
  }

  halfClosed(): void {
    if (this.#state === 'reading') this.#state = 'finishing';
    this.#endWhenDone();
  }

  #begin(request: PredictionsRequest): void {
    const { call, gate, observer } = this.#options;
    try {
      const sequence = this.#sequenceOf(request);
      const { principal } = call;
      const own = { principal, receivedAtMs: performance.now(), deadlineAtMs: call.deadlineAtMs, closed: call.closed, id: randomUUID() };
      const wanted = readPrediction(request, own, gate, observer, sequence.headers);
      this.#open += 1;
      gate.submit(wanted, {
        part: ({ body, last }) => {
          this.#send({ prediction: body }, sequence.madeUpId);
          if (last) this.#answered();
        },
        fail: (error) => {
          this.#sendFailure(error, sequence.madeUpId);
          this.#answered();
        },
      });
    } catch (error) {
      this.#sendFailure(error, undefined);
    }
  }

  /** Throws BadRequest where the request belongs to no sequence and begins none. */
  #sequenceOf({ sequenceId = '', input }: PredictionsRequest): { readonly headers: readonly HeaderPair[]; readonly madeUpId: string | undefined } {
    const { keys } = this.#options;
    const starts = isTrue(input.get(keys.start));
    if (sequenceId === '' && !starts) throw BadRequest({ message: 'Parameter sequenceId is required.' });
    const madeUpId = sequenceId === '' ? `ts-seq-${randomUUID()}` : undefined;
    const headers: HeaderPair[] = [[keys.id, madeUpId ?? sequenceId]];
    if (starts) headers.push([keys.start, 'true']);
    if (isTrue(input.get(keys.end))) headers.push([keys.end, 'true']);
    return { headers, madeUpId };
  }

  #send(response: PredictionResponse, sequenceId: string | undefined): void {
    this.#options.reply.send(sequenceId === undefined ? response : { ...response, sequenceId });
  }

  #sendFailure(error: unknown, sequenceId: string | undefined): void {
    const status = statusOf(error, 'a request of StreamPredictions2', this.#options.logFault, INFERENCE_DIALECT);
    const [message, reason] = linesOf(status);
    const info = ErrorInfo.encode({ reason, domain: '', metadata: new Map() }).finish();
    this.#send({ prediction: new Uint8Array(), status: { code: status.code, message, details: [{ typeUrl: ERROR_INFO, value: info }] } }, sequenceId);
  }

  #answered(): void {
    this.#open -= 1;
    this.#onFewer?.();
    this.#onFewer = undefined;
    this.#endWhenDone();
  }

  #endWhenDone(): void {
    if (this.#state === 'reading' || this.#open > 0) return;
    if (this.#state === 'finishing') this.#options.reply.end();
    else this.#options.reply.fail(renderStatus(Draining({}), INFERENCE_DIALECT));
  }
}

function isTrue(value: Uint8Array | undefined): boolean {
  return value !== undefined && value.byteLength === 4 && Buffer.from(value).toString('latin1').toLowerCase() === 'true';
}
