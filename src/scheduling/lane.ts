import type { Batch, BatchSink } from '../inference/batch.js';

/** What a dispatcher needs of a replica: a place to send batches. */
export interface Lane {
  /** `W-9000-mnist_1.0` */
  readonly name: string;
  /** Batches it may hold at once, ≥ 1. */
  readonly pipelineDepth: number;
  run(batch: Batch, sink: BatchSink): void;
  /** Nobody waits for these requests any more, by their ids; the model's code may be told. What it still says of them is dropped. */
  cancel(requestIds: readonly string[]): void;
  /** The lane didn't answer in time: it must go. The dispatcher hears `laneLost` afterwards. */
  timedOut(): void;
}

/** How a lane was lost. */
export interface LaneLoss {
  /** The kernel killed it, or it reported that memory ran out. */
  readonly outOfMemory: boolean;
}

/** How many replicas there are and how many of them may still become ready soon. */
export interface Supply {
  readonly replicas: number;
  /** Ready, starting, or waiting for an early retry. Not: used up, or failing again and again. */
  readonly hopeful: number;
}
