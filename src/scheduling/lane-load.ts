import type { Batch } from '../inference/batch.js';
import type { Lane } from './lane.js';
import type { PendingRequest } from './pending-request.js';

/** A batch on its lane, oldest first in its LaneLoad. */
export interface RunningBatch {
  readonly batch: Batch;
  readonly entries: readonly PendingRequest[];
}

/** Weight of the newest run time in the moving average. */
const SMOOTHING = 0.2;
/** Above this run time a second batch isn't pushed behind a running one: it would wait there longer than the trip through the socket costs. */
const PIPELINE_BELOW_MS = 10;

/** What one lane is doing. Batches run in the order they were given; only the oldest has a clock running against it. */
export class LaneLoad {
  readonly running: RunningBatch[] = [];
  /** No new batches: the lane is being scaled down or recycled. */
  leaving = false;
  timer: NodeJS.Timeout | undefined;
  onEmpty: (() => void) | undefined;
  #averageMs: number | undefined;

  constructor(readonly lane: Lane) {}

  get idle(): boolean {
    return this.running.length === 0 && !this.leaving;
  }

  /** May take a batch behind the one it runs. Only where batches are short, and only once one has been measured. */
  get canPipeline(): boolean {
    return !this.leaving && this.running.length < this.lane.pipelineDepth && this.#averageMs !== undefined && this.#averageMs < PIPELINE_BELOW_MS;
  }

  measured(ms: number): void {
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + SMOOTHING * (ms - this.#averageMs);
  }
}
