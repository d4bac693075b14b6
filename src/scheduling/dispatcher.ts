import { PredictionMissing, ResponseTimedOut, WorkerDied } from '../errors/backend.js';
import { DeadlineExceeded, Draining, ModelLoading, NoDescribeWorker, NoWorkers, QueueFull, RequestCancelled, WorkersExhausted } from '../errors/scheduling.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { BatchSink } from '../inference/batch.js';
import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Observer } from '../observability/observer.js';
import { decideBatch } from './batcher.js';
import type { Lane, LaneLoss, Supply } from './lane.js';
import { LaneLoad, type RunningBatch } from './lane-load.js';
import { PendingRequest } from './pending-request.js';
import { RequestQueue } from './request-queue.js';

export interface DispatchLimits {
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
  readonly queueSize: number;
  /** Longest time without a word from the worker on the batch it runs. */
  readonly responseTimeoutMs: number;
  /** Longest wait of a request while no worker is ready. */
  readonly loadingPatienceMs: number;
  /** Longest time from the request's arrival to its answer; 0: none. */
  readonly clientTimeoutMs: number;
  readonly retryOnWorkerDeath: boolean;
  /** Accept only what an idle replica can take at once. */
  readonly useJobTicket: boolean;
}

let lastBatchId = 0;

/**
 * Queue, batches and hand-out of one model version. Holds these promises:
 * every request offered is answered exactly once; a request is on at most one lane; a request past its deadline or without a client never reaches a lane;
 * when a lane is lost, what it ran is tried once more, each request alone (if the model allows), and what merely waited behind it goes back to the front.
 */
export class Dispatcher {
  readonly #queue: RequestQueue;
  readonly #lanes = new Map<Lane, LaneLoad>();
  #supply: Supply = { replicas: 0, hopeful: 0 };
  #draining = false;
  #dispatchIsDue = false;
  #batchTimer: NodeJS.Timeout | undefined;
  /** Since when a free lane has been waiting for the batch to fill; undefined while none is. */
  #gatheringSinceMs: number | undefined;
  #noLaneTimer: NodeJS.Timeout | undefined;
  #whenQuiet: (() => void)[] = [];

  constructor(
    private readonly model: string,
    private readonly limits: DispatchLimits,
    private readonly observer: Observer,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#queue = new RequestQueue(limits.queueSize);
  }

  get pendingRequests(): number {
    return this.#queue.length;
  }

  get remainingCapacity(): number {
    return this.#queue.remainingCapacity;
  }

  /** Takes responsibility for a request. Never throws; a refusal is an answer too. */
  offer(request: InferenceRequest, answer: Answer): void {
    const pending = new PendingRequest(request, answer, this.now());
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return this.#refuse(pending, refusal);
    if (!this.#queue.push(pending)) return this.#refuse(pending, QueueFull({ model: this.model, version: request.version }));
    this.#watchDeadline(pending);
    if (this.#gathersTurns && this.#queue.length < this.limits.batchSize) return this.#dispatchThisTurn();
    this.#dispatch();
    if (!pending.ended && pending.dispatchedAtMs === 0) this.#watchWaiting(pending);
  }

  laneReady(lane: Lane): void {
    this.#lanes.set(lane, new LaneLoad(lane));
    clearTimeout(this.#noLaneTimer);
    this.#noLaneTimer = undefined;
    this.#dispatch();
  }

  /** The replica behind the lane is gone. */
  laneLost(lane: Lane, loss: LaneLoss): void {
    const load = this.#lanes.get(lane);
    if (load === undefined) return;
    this.#lanes.delete(lane);
    clearTimeout(load.timer);
    const [ran, ...waited] = load.running.splice(0);
    if (ran !== undefined) this.#retryOrFail(ran, loss);
    for (const batch of waited) for (const pending of batch.entries) if (!pending.ended) this.#putBack(pending);
    load.onEmpty?.();
    this.#dispatch();
    this.#watchForLane();
    this.#checkQuiet();
  }

  /** Gives the lane nothing new; resolves when what it holds is answered. */
  laneLeaving(lane: Lane): Promise<void> {
    const load = this.#lanes.get(lane);
    if (load === undefined) return Promise.resolve();
    load.leaving = true;
    if (load.running.length === 0) {
      this.#lanes.delete(lane);
      this.#watchForLane();
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      load.onEmpty = () => {
        this.#lanes.delete(lane);
        this.#watchForLane();
        resolve();
      };
    });
  }

  /** Tells how many replicas there are and may come; when none can, those who wait are answered. */
  supplyChanged(supply: Supply): void {
    this.#supply = supply;
    if (this.#usableLanes() > 0 || supply.hopeful > 0) return;
    for (const pending of this.#queue) {
      this.#refuse(pending, this.#noSupply(pending.request));
    }
    this.#checkQuiet();
  }

  /** Refuses what comes from now on; resolves when all that was accepted is answered. When `deadline` aborts, the rest is answered as draining. */
  async drain(deadline: AbortSignal): Promise<void> {
    this.#draining = true;
    const quiet = new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
    const expired = new Promise<void>((resolve) => {
      if (deadline.aborted) resolve();
      else deadline.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#checkQuiet();
    await Promise.race([quiet, expired]);
    clearTimeout(this.#batchTimer);
    clearTimeout(this.#noLaneTimer);
    for (const pending of this.#queue) this.#refuse(pending, Draining({}));
    for (const load of this.#lanes.values()) {
      clearTimeout(load.timer);
      for (const running of load.running) for (const pending of running.entries) pending.fail(Draining({}));
    }
  }

  /** Where batches wait for nobody, requests of one turn of the event loop still leave together: a batch of one would keep the next seven waiting. */
  get #gathersTurns(): boolean {
    return this.limits.batchSize > 1 && this.limits.maxBatchDelayMs === 0;
  }

  #dispatchThisTurn(): void {
    if (this.#dispatchIsDue) return;
    this.#dispatchIsDue = true;
    setImmediate(() => {
      this.#dispatchIsDue = false;
      this.#dispatch();
      for (const pending of this.#queue) if (!pending.watched) this.#watchWaiting(pending);
    });
  }

  #refusal(request: InferenceRequest): SconceError | undefined {
    if (this.#draining) return Draining({});
    if (this.#usableLanes() === 0 && this.#supply.hopeful === 0) return this.#noSupply(request);
    if (this.limits.useJobTicket && !this.#hasIdleLane()) return QueueFull({ model: this.model, version: request.version });
    return undefined;
  }

  #noSupply(request: InferenceRequest): SconceError {
    const facts = { model: this.model, version: request.version };
    if (request.purpose === 'describe') return NoDescribeWorker(facts);
    return this.#supply.replicas === 0 ? NoWorkers(facts) : WorkersExhausted(facts);
  }

  #refuse(pending: PendingRequest, error: SconceError): void {
    this.#queue.remove(pending);
    if (pending.ended) return;
    if (error.reason !== undefined) this.observer.inferenceRefused(this.model, error.reason);
    pending.fail(error);
  }

  #watchDeadline(pending: PendingRequest): void {
    const { request } = pending;
    const own = this.limits.clientTimeoutMs > 0 ? request.receivedAtMs + this.limits.clientTimeoutMs : Number.POSITIVE_INFINITY;
    const deadlineAtMs = Math.min(own, request.deadlineAtMs ?? Number.POSITIVE_INFINITY);
    if (deadlineAtMs === Number.POSITIVE_INFINITY) return;
    pending.watchDeadline(deadlineAtMs - this.now(), () => {
      this.#refuse(pending, DeadlineExceeded({ model: this.model, afterMs: deadlineAtMs - request.receivedAtMs }));
      this.#checkQuiet();
    });
  }

  #watchWaiting(pending: PendingRequest): void {
    pending.watched = true;
    const { cancelled } = pending.request;
    const drop = () => {
      if (pending.dispatchedAtMs !== 0) return;
      this.#refuse(pending, RequestCancelled({}));
      this.#checkQuiet();
    };
    if (cancelled.aborted) return drop();
    cancelled.addEventListener('abort', drop, { once: true });
    pending.onEnd(() => cancelled.removeEventListener('abort', drop));
    this.#watchForLane();
  }

  /** While no lane is there, the oldest request waits at most `loadingPatienceMs` for one. */
  #watchForLane(): void {
    if (this.#usableLanes() > 0 || this.#noLaneTimer !== undefined) return;
    const oldest = this.#queue.first();
    if (oldest === undefined) return;
    const leftMs = oldest.enqueuedAtMs + this.limits.loadingPatienceMs - this.now();
    this.#noLaneTimer = setTimeout(
      () => {
        this.#noLaneTimer = undefined;
        if (this.#usableLanes() > 0) return;
        const expiredBefore = this.now() - this.limits.loadingPatienceMs;
        for (const pending of this.#queue) {
          if (pending.enqueuedAtMs > expiredBefore + 1) continue;
          this.#refuse(pending, ModelLoading({ model: this.model, version: pending.request.version }));
        }
        this.#watchForLane();
        this.#checkQuiet();
      },
      Math.max(1, leftMs),
    );
  }

  #dispatch(): void {
    for (;;) {
      const load = this.#freeLane();
      if (load === undefined) return;
      const nowMs = this.now();
      const decision = decideBatch(this.#queue, this.limits, nowMs);
      if (decision.kind === 'empty') return;
      if (decision.kind === 'wait') {
        // A lane that already runs one batch is no reason to send a short one after it before its time.
        this.#wakeAt(decision.untilMs, nowMs);
        return;
      }
      this.#send(load, decision.requests, nowMs);
    }
  }

  #wakeAt(untilMs: number, nowMs: number): void {
    if (this.#batchTimer !== undefined) return;
    this.#gatheringSinceMs ??= nowMs;
    this.#batchTimer = setTimeout(
      () => {
        this.#batchTimer = undefined;
        this.#dispatch();
      },
      Math.max(0, untilMs - nowMs),
    );
  }

  #freeLane(): LaneLoad | undefined {
    let pipelined: LaneLoad | undefined;
    for (const load of this.#lanes.values()) {
      if (load.idle) return load;
      if (load.canPipeline && (pipelined === undefined || load.running.length < pipelined.running.length)) pipelined = load;
    }
    return pipelined;
  }

  #send(load: LaneLoad, taken: readonly PendingRequest[], nowMs: number): void {
    const entries: PendingRequest[] = [];
    for (const pending of taken) {
      this.#queue.remove(pending);
      if (pending.ended) continue;
      pending.dispatchedAtMs = nowMs;
      if (this.#gatheringSinceMs !== undefined) pending.batchWaitMs = Math.max(0, nowMs - Math.max(this.#gatheringSinceMs, pending.enqueuedAtMs));
      this.observer.queueTime(nowMs - pending.enqueuedAtMs);
      entries.push(pending);
    }
    clearTimeout(this.#batchTimer);
    this.#batchTimer = undefined;
    this.#gatheringSinceMs = undefined;
    if (entries.length === 0) return;
    lastBatchId += 1;
    const running: RunningBatch = { batch: { id: lastBatchId, requests: entries.map((pending) => pending.request) }, entries };
    load.running.push(running);
    // To the back of the line, so that lanes take turns.
    this.#lanes.delete(load.lane);
    this.#lanes.set(load.lane, load);
    if (load.running.length === 1) this.#startClock(load);
    load.lane.run(running.batch, this.#sink(load, running));
  }

  #sink(load: LaneLoad, running: RunningBatch): BatchSink {
    const { entries } = running;
    return {
      part: (index, part) => {
        const pending = entries[index];
        if (pending === undefined) return;
        if (!part.last) this.#startClock(load);
        const { enqueuedAtMs, dispatchedAtMs, batchWaitMs } = pending;
        pending.part(part, {
          queueMs: dispatchedAtMs - enqueuedAtMs - batchWaitMs,
          batchWaitMs,
          handlerMs: part.timings?.handlerMs ?? this.now() - dispatchedAtMs,
        });
      },
      fail: (index, error) => {
        const pending = entries[index];
        if (pending === undefined || pending.ended) return;
        if (error.reason !== undefined) this.observer.inferenceRefused(this.model, error.reason);
        pending.fail(error);
      },
      done: (handlerMs) => {
        if (load.running[0] !== running) return;
        load.running.shift();
        load.measured(handlerMs);
        for (const pending of entries) if (!pending.ended) pending.fail(PredictionMissing({}));
        clearTimeout(load.timer);
        if (load.running.length > 0) this.#startClock(load);
        else load.onEmpty?.();
        if (this.#gathersTurns) this.#dispatchThisTurn();
        else this.#dispatch();
        this.#checkQuiet();
      },
    };
  }

  #startClock(load: LaneLoad): void {
    clearTimeout(load.timer);
    load.timer = setTimeout(() => {
      const late = load.running[0];
      if (late === undefined) return;
      for (const pending of late.entries) if (!pending.ended) this.#refuse(pending, ResponseTimedOut({}));
      load.leaving = true;
      load.lane.timedOut();
    }, this.limits.responseTimeoutMs);
  }

  #retryOrFail(ran: RunningBatch, loss: LaneLoss): void {
    for (const pending of ran.entries) {
      if (pending.ended) continue;
      pending.deaths += 1;
      const again = this.limits.retryOnWorkerDeath && pending.deaths < 2 && !pending.begun && !this.#draining;
      if (!again) this.#refuse(pending, WorkerDied({ outOfMemory: loss.outOfMemory }));
      else {
        pending.alone = true;
        this.#putBack(pending);
      }
    }
  }

  #putBack(pending: PendingRequest): void {
    pending.dispatchedAtMs = 0;
    this.#queue.putBack(pending);
    this.#watchWaiting(pending);
  }

  #usableLanes(): number {
    let usable = 0;
    for (const load of this.#lanes.values()) if (!load.leaving) usable += 1;
    return usable;
  }

  #hasIdleLane(): boolean {
    for (const load of this.#lanes.values()) if (load.idle) return true;
    return false;
  }

  #checkQuiet(): void {
    if (this.#whenQuiet.length === 0 || this.#queue.length > 0) return;
    for (const load of this.#lanes.values()) if (load.running.length > 0) return;
    for (const resolve of this.#whenQuiet.splice(0)) resolve();
  }
}
