import { BadInput, HandlerFailed, ResponseTooLarge } from '../../errors/backend.js';
import type { SconceError } from '../../errors/sconce-error.js';
import type { Batch, BatchSink } from '../../inference/batch.js';
import type { WirePart, WorkerFrame } from './frames.js';
import { headOf } from './response-head.js';

interface InFlight {
  readonly size: number;
  readonly ended: boolean[];
  readonly sink: BatchSink;
  /** Set when the worker has said its last word on the batch. */
  handlerMs: number | undefined;
  /** Ranks that compute it without answering, and haven't done yet. */
  readonly computing: Set<number>;
  /** The outcome that rank 0 reported while others were computing. */
  held: { readonly failure: SconceError; readonly timer: NodeJS.Timeout } | undefined;
}

/** A rank that dies makes the others' computations fail: a failure waits so long for the word of a rank that it was that. */
const HOLD_FAILURE_MS = 1_000;

/** What is wrong with a worker's words on a batch. */
export type BatchFault = 'nonsense' | 'too-large';

/**
 * The batches a worker holds, oldest first. Invariants: each entry of a batch ends at most once; where batches run in turn, `done` is said of them in the
 * order they were given, whatever the worker says; where they overlap, as soon as the worker has ended one; and never before the last rank of a group has done.
 */
export class BatchesInFlight {
  readonly #batches = new Map<number, InFlight>();
  #lastId = 0;

  /** `receivers` is the number of ranks that get each batch; only the first of them answers. */
  constructor(
    private readonly maxBodyBytes: number,
    private readonly receivers: number,
    private readonly overlaps: boolean,
  ) {}

  get count(): number {
    return this.#batches.size;
  }

  /** Gives the number of the batch on the wire. */
  add(batch: Batch, sink: BatchSink): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    const size = batch.requests.length;
    const computing = new Set<number>();
    for (let rank = 1; rank < this.receivers; rank += 1) computing.add(rank);
    this.#batches.set(this.#lastId, { size, ended: new Array<boolean>(size).fill(false), sink, handlerMs: undefined, computing, held: undefined });
    return this.#lastId;
  }

  parts({ batchId, final, handlerMicros, parts }: Extract<WorkerFrame, { kind: 'parts' }>): BatchFault | undefined {
    const batch = this.#batches.get(batchId);
    if (batch === undefined || batch.handlerMs !== undefined) return 'nonsense';
    for (const part of parts) {
      const fault = this.#part(batch, part);
      if (fault !== undefined) return fault;
    }
    if (final) this.#end(batchId, batch, handlerMicros / 1000);
    return undefined;
  }

  error({ batchId, code, message, handlerMicros }: Extract<WorkerFrame, { kind: 'batch-error' }>): BatchFault | undefined {
    const batch = this.#batches.get(batchId);
    if (batch === undefined || batch.handlerMs !== undefined || code <= 200 || code > 999) return 'nonsense';
    const failure = HandlerFailed({ status: code, message });
    if (batch.computing.size === 0) failOpen(batch, failure);
    else batch.held = { failure, timer: setTimeout(() => release(batch), HOLD_FAILURE_MS) };
    this.#end(batchId, batch, handlerMicros / 1000);
    return undefined;
  }

  /** One request of a batch failed; the others go on. */
  failed({ batchId, index, status, message }: Extract<WorkerFrame, { kind: 'request-failed' }>): BatchFault | undefined {
    const batch = this.#batches.get(batchId);
    if (batch === undefined || batch.handlerMs !== undefined || index >= batch.size || batch.ended[index] === true) return 'nonsense';
    if (status !== 0 && (status <= 200 || status > 999)) return 'nonsense';
    batch.ended[index] = true;
    batch.sink.fail(index, status === 0 ? BadInput({ what: message }) : HandlerFailed({ status, message }));
    return undefined;
  }

  /** A rank other than the first has computed the batch. */
  computed(batchId: number, rank: number): BatchFault | undefined {
    const batch = this.#batches.get(batchId);
    if (batch?.computing.delete(rank) !== true) return 'nonsense';
    if (batch.computing.size === 0) release(batch);
    this.#tellDone(batchId, batch);
    return undefined;
  }

  /** The oldest batch's answer was longer than `limitBytes`. */
  tooLarge(): void {
    for (const batch of this.#batches.values()) {
      if (batch.handlerMs !== undefined) continue;
      failOpen(batch, ResponseTooLarge({ limitBytes: this.maxBodyBytes }));
      return;
    }
  }

  /** Fails a batch that never reached the worker. */
  refuse(batchId: number, error: SconceError): void {
    const batch = this.#batches.get(batchId);
    if (batch === undefined) return;
    failOpen(batch, error);
    batch.computing.clear();
    this.#end(batchId, batch, 0);
  }

  /** Nothing more is said of any batch. */
  forget(): void {
    for (const { held } of this.#batches.values()) clearTimeout(held?.timer);
    this.#batches.clear();
  }

  #part(batch: InFlight, { index, last, status, phrase, headers, body }: WirePart): BatchFault | undefined {
    if (index >= batch.size || batch.ended[index] === true || status < 200 || status > 999) return 'nonsense';
    if (body.length > this.maxBodyBytes) {
      failOpen(batch, ResponseTooLarge({ limitBytes: this.maxBodyBytes }));
      return 'too-large';
    }
    if (last) batch.ended[index] = true;
    batch.sink.part(index, { status, ...headOf(phrase, headers), body, last });
    return undefined;
  }

  #end(batchId: number, batch: InFlight, handlerMs: number): void {
    batch.handlerMs = handlerMs;
    this.#tellDone(batchId, batch);
  }

  #tellDone(batchId: number, batch: InFlight): void {
    const over = this.overlaps ? [[batchId, batch] as const] : this.#batches;
    for (const [id, oldest] of over) {
      if (oldest.handlerMs === undefined || oldest.computing.size > 0) return;
      this.#batches.delete(id);
      oldest.sink.done(oldest.handlerMs);
    }
  }
}

function release(batch: InFlight): void {
  if (batch.held === undefined) return;
  clearTimeout(batch.held.timer);
  failOpen(batch, batch.held.failure);
  batch.held = undefined;
}

function failOpen(batch: InFlight, error: SconceError): void {
  for (const [index, ended] of batch.ended.entries()) {
    if (ended) continue;
    batch.ended[index] = true;
    batch.sink.fail(index, error);
  }
}
