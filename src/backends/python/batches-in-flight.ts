import { HandlerFailed, ResponseTooLarge } from '../../errors/backend.js';
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
}

/** What is wrong with a worker's words on a batch. */
export type BatchFault = 'nonsense' | 'too-large';

/**
 * The batches a worker holds, oldest first. Invariants: each entry of a batch ends at most once; where batches run in turn, `done` is said of them in the
 * order they were given, whatever the worker says; where they overlap, as soon as the worker has ended one.
 */
export class BatchesInFlight {
  readonly #batches = new Map<number, InFlight>();
  #lastId = 0;

  constructor(
    private readonly maxBodyBytes: number,
    private readonly overlaps: boolean,
  ) {}

  get count(): number {
    return this.#batches.size;
  }

  /** Gives the number of the batch on the wire. */
  add(batch: Batch, sink: BatchSink): number {
    this.#lastId = (this.#lastId + 1) >>> 0;
    const size = batch.requests.length;
    this.#batches.set(this.#lastId, { size, ended: new Array<boolean>(size).fill(false), sink, handlerMs: undefined });
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
    failOpen(batch, HandlerFailed({ status: code, message }));
    this.#end(batchId, batch, handlerMicros / 1000);
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
    this.#end(batchId, batch, 0);
  }

  /** Nothing more is said of any batch. */
  forget(): void {
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
    if (this.overlaps) {
      this.#batches.delete(batchId);
      batch.sink.done(handlerMs);
      return;
    }
    batch.handlerMs = handlerMs;
    for (const [id, oldest] of this.#batches) {
      if (oldest.handlerMs === undefined) return;
      this.#batches.delete(id);
      oldest.sink.done(oldest.handlerMs);
    }
  }
}

function failOpen(batch: InFlight, error: SconceError): void {
  for (const [index, ended] of batch.ended.entries()) {
    if (ended) continue;
    batch.ended[index] = true;
    batch.sink.fail(index, error);
  }
}
