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
/** Above this run time no batch is pushed behind a running one: it would wait there longer than the trip to the worker costs. */
const PIPELINE_BELOW_MS = 10;
/** Below this one as many as the lane takes may lie there: their trips to the worker are then shared. */
const PIPELINE_DEEP_BELOW_MS = 0.5;

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

  /** May take a batch behind those it has. Only where batches are short, and only once one has been measured. */
  get canPipeline(): boolean {
    if (this.leaving || this.#averageMs === undefined || this.#averageMs >= PIPELINE_BELOW_MS) return false;
    const depth = this.#averageMs < PIPELINE_DEEP_BELOW_MS ? this.lane.pipelineDepth : Math.min(2, this.lane.pipelineDepth);
    return this.running.length < depth;
  }

  measured(ms: number): void {
    this.#averageMs = this.#averageMs === undefined ? ms : this.#averageMs + SMOOTHING * (ms - this.#averageMs);
  }
}
