import { PredictionMissing, ResponseTimedOut } from '../errors/backend.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { BatchSink } from '../inference/batch.js';
import type { Lane, LaneLoss } from './lane.js';
import { batchOf, type LaneLoad, type LoadHost } from './lane-load.js';
import type { PendingRequest } from './pending-request.js';
import { StreamDepartures } from './stream-departures.js';

type Entries = readonly PendingRequest[];

/** Weight of the newest run time in the moving average. */
const SMOOTHING = 0.2;
/** Above this run time no batch is pushed behind a running one: it would wait there longer than the trip to the worker costs. */
const PIPELINE_BELOW_MS = 10;
/** Below this one as many as the lane takes may lie there: their trips to the worker are then shared. */
const PIPELINE_DEEP_BELOW_MS = 0.5;

/**
 * Batches that run in the order they were given; only the oldest has a clock running against it. When the lane is lost, what it ran is tried once more,
 * each request alone (if the model allows), and what merely waited behind it goes back to the front.
 */
export class TurnLoad implements LaneLoad {
  leaving = false;
  onEmpty: (() => void) | undefined;
  readonly #running: Entries[] = [];
  /** Those that wait for others before they may compute: no clock runs against them. */
  readonly #held = new Set<Entries>();
  #timer: NodeJS.Timeout | undefined;
  #averageMs: number | undefined;
  /** The lane took too long and is on its way out. */
  #condemned = false;

  constructor(
    readonly lane: Lane,
    private readonly host: LoadHost,
  ) {}

  get empty(): boolean {
    return this.#running.length === 0;
  }

  get backlog(): number {
    return this.#running.length;
  }

  get room(): number {
    return !this.#condemned && (this.empty || this.#canPipeline) ? this.host.batchSize : 0;
  }

  get startable(): number {
    return this.empty && !this.#condemned ? this.host.batchSize : 0;
  }

  get running(): boolean {
    return false;
  }

  take(entries: Entries): void {
    this.#running.push(entries);
    if (this.#running.length === 1) this.#startClock();
    this.lane.run(batchOf(entries.map((pending) => pending.request)), this.#sink(entries));
  }

  carryOn(): void {}

  lost(loss: LaneLoss): void {
    clearTimeout(this.#timer);
    this.#held.clear();
    const [ran, ...waited] = this.#running.splice(0);
    for (const pending of ran ?? []) if (!pending.ended) this.host.lostUnder(pending, loss);
    for (const entries of waited) for (const pending of entries) if (!pending.ended) this.host.putBack(pending);
  }

  abandon(error: SconceError): void {
    clearTimeout(this.#timer);
    for (const entries of this.#running) for (const pending of entries) this.host.fail(pending, error);
  }

  /** May take a batch behind those it has. Only where batches are short, and only once one has been measured. */
  get #canPipeline(): boolean {
    if (this.#averageMs === undefined || this.#averageMs >= PIPELINE_BELOW_MS) return false;
    const depth = this.#averageMs < PIPELINE_DEEP_BELOW_MS ? this.lane.pipelineDepth : Math.min(2, this.lane.pipelineDepth);
    return this.#running.length < depth;
  }

  #sink(entries: Entries): BatchSink {
    const departures = new StreamDepartures(this.lane);
    return {
      part: (index, part) => {
        const pending = entries[index];
        if (pending === undefined) return;
        if (part.last) departures.over(pending);
        else {
          this.#startClock();
          departures.piece(pending);
        }
        this.host.part(pending, part);
      },
      fail: (index, error) => {
        const pending = entries[index];
        if (pending === undefined) return;
        departures.over(pending);
        this.host.fail(pending, error);
      },
      done: (handlerMs) => {
        if (this.#running[0] !== entries) return;
        for (const pending of entries) departures.over(pending);
        this.#running.shift();
        this.#averageMs = this.#averageMs === undefined ? handlerMs : this.#averageMs + SMOOTHING * (handlerMs - this.#averageMs);
        clearTimeout(this.#timer);
        if (this.#running.length > 0) this.#startClock();
        for (const pending of entries) {
          if (!pending.ended) this.host.fail(pending, PredictionMissing({}));
          this.host.released(pending);
        }
        this.host.freed(this);
      },
      held: (isHeld) => {
        if (isHeld) this.#held.add(entries);
        else this.#held.delete(entries);
        if (this.#running[0] === entries) this.#startClock();
      },
    };
  }

  #startClock(): void {
    clearTimeout(this.#timer);
    const [late] = this.#running;
    if (late === undefined || this.#held.has(late)) return;
    this.#timer = setTimeout(() => {
      this.#condemned = true;
      this.leaving = true;
      for (const pending of late) this.host.fail(pending, ResponseTimedOut({}));
      this.lane.timedOut();
    }, this.host.responseTimeoutMs);
  }
}
