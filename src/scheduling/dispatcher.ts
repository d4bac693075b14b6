import { WorkerDied } from '../errors/backend.js';
import { DeadlineExceeded, Draining, ModelLoading, NoDescribeWorker, NoWorkers, QueueFull, RequestCancelled, WorkersExhausted } from '../errors/scheduling.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { Answer, ResponsePart } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Observer } from '../observability/observer.js';
import type { Discipline } from './discipline.js';
import type { Lane, LaneLoss, Supply } from './lane.js';
import type { LaneLoad, LoadHost } from './lane-load.js';
import { PendingRequest } from './pending-request.js';
import type { Scheduler } from './scheduler.js';
import type { LineHost, WaitingLine } from './waiting-line.js';

export interface DispatchLimits {
  readonly batchSize: number;
  readonly maxBatchDelayMs: number;
  /** Longest time without a word from the worker on what it runs. */
  readonly responseTimeoutMs: number;
  /** Longest wait of a request while no worker is ready. */
  readonly loadingPatienceMs: number;
  /** Longest time from the request's arrival to its answer; 0: none. */
  readonly clientTimeoutMs: number;
  readonly retryOnWorkerDeath: boolean;
  /** Accept only what an idle replica can take at once. */
  readonly useJobTicket: boolean;
}

/**
 * Hands the requests of one model version to its lanes: who waits and who goes next is the line's affair, what a lane does with them its load's. Holds these
 * promises: every request offered is answered exactly once; a request is on at most one lane; a request past its deadline or without a client never reaches one.
 */
export class Dispatcher implements Scheduler {
  readonly #line: WaitingLine;
  readonly #lanes = new Map<Lane, LaneLoad>();
  readonly #host: LoadHost;
  #supply: Supply = { replicas: 0, hopeful: 0 };
  #draining = false;
  #dispatchIsDue = false;
  #batchTimer: NodeJS.Timeout | undefined;
  #wakesAtMs = Number.POSITIVE_INFINITY;
  /** Since when a free lane has been waiting for the batch to fill; undefined while none is. */
  #gatheringSinceMs: number | undefined;
  #noLaneTimer: NodeJS.Timeout | undefined;
  #whenQuiet: (() => void)[] = [];

  constructor(
    private readonly model: string,
    private readonly discipline: Discipline,
    private readonly limits: DispatchLimits,
    private readonly observer: Observer,
    private readonly now: () => number = () => performance.now(),
  ) {
    const lineHost: LineHost = { fail: (pending, error) => this.#refuse(pending, error), changed: () => this.#dispatchThisTurn() };
    this.#line = discipline.line(lineHost);
    this.#host = {
      batchSize: limits.batchSize,
      responseTimeoutMs: limits.responseTimeoutMs,
      part: (pending, part) => this.#part(pending, part),
      fail: (pending, error) => this.#refuse(pending, error),
      lostUnder: (pending, loss) => this.#retryOrFail(pending, loss),
      putBack: (pending) => this.#putBack(pending, { outOfMemory: false }),
      released: (pending) => this.#line.released(pending),
      freed: (load) => this.#freed(load),
    };
  }

  get pendingRequests(): number {
    return this.#line.length;
  }

  get remainingCapacity(): number {
    return this.#line.remainingCapacity;
  }

  offer(request: InferenceRequest, answer: Answer): void {
    const pending = new PendingRequest(this.#line.prepared(request), answer, this.now());
    if (this.discipline.onlyPredictionsShare && request.purpose !== 'predict') pending.alone = true;
    const refusal = this.#refusal(pending.request);
    if (refusal !== undefined) return this.#refuse(pending, refusal);
    if (!this.#line.push(pending)) return this.#refuse(pending, QueueFull({ model: this.model, version: request.version }));
    this.#watchDeadline(pending);
    if (this.discipline.heedsDepartures) this.#watchClient(pending);
    if (this.#gathersTurns && this.#line.length < this.limits.batchSize) return this.#dispatchThisTurn();
    this.#dispatch();
    if (!pending.ended && pending.dispatchedAtMs === undefined) this.#watchWaiting(pending);
  }

  laneReady(lane: Lane): void {
    this.#lanes.set(lane, this.discipline.load(lane, this.#host));
    this.#line.laneReady(lane);
    clearTimeout(this.#noLaneTimer);
    this.#noLaneTimer = undefined;
    this.#dispatch();
  }

  laneLost(lane: Lane, loss: LaneLoss): void {
    const load = this.#lanes.get(lane);
    if (load === undefined) return;
    this.#lanes.delete(lane);
    load.lost(loss);
    for (const orphan of this.#line.laneGone(lane)) this.#refuse(orphan, WorkerDied({ outOfMemory: loss.outOfMemory }));
    load.onEmpty?.();
    this.#dispatch();
    this.#watchForLane();
    this.#settle();
  }

  laneLeaving(lane: Lane): Promise<void> {
    const load = this.#lanes.get(lane);
    if (load === undefined) return Promise.resolve();
    load.leaving = true;
    this.#line.laneLeaving(lane);
    return new Promise((resolve) => {
      load.onEmpty = resolve;
      this.#leaveWhenEmpty(load);
    });
  }

  supplyChanged(supply: Supply): void {
    this.#supply = supply;
    this.#line.supplyChanged(supply);
    if (this.#usableLanes() > 0 || supply.hopeful > 0) return this.#dispatch();
    for (const pending of this.#line) this.#refuse(pending, this.#noSupply(pending.request));
    this.#settle();
  }

  async drain(deadline: AbortSignal): Promise<void> {
    this.#draining = true;
    const quiet = new Promise<void>((resolve) => this.#whenQuiet.push(resolve));
    const expired = new Promise<void>((resolve) => {
      if (deadline.aborted) resolve();
      else deadline.addEventListener('abort', () => resolve(), { once: true });
    });
    this.#settle();
    await Promise.race([quiet, expired]);
    clearTimeout(this.#batchTimer);
    clearTimeout(this.#noLaneTimer);
    for (const pending of this.#line) this.#refuse(pending, Draining({}));
    for (const load of this.#lanes.values()) load.abandon(Draining({}));
    this.#line.close();
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
      for (const pending of this.#line) if (!pending.watched) this.#watchClient(pending);
      this.#watchForLane();
      this.#settle();
    });
  }

  #refusal(request: InferenceRequest): SconceError | undefined {
    if (this.#draining) return Draining({});
    if (this.#usableLanes() === 0 && this.#supply.hopeful === 0) return this.#noSupply(request);
    if (this.limits.useJobTicket && !this.#hasTicket(request)) return QueueFull({ model: this.model, version: request.version });
    return undefined;
  }

  #noSupply(request: InferenceRequest): SconceError {
    const facts = { model: this.model, version: request.version };
    if (request.purpose === 'describe') return NoDescribeWorker(facts);
    return this.#supply.replicas === 0 ? NoWorkers(facts) : WorkersExhausted(facts);
  }

  #refuse(pending: PendingRequest, error: SconceError): void {
    this.#line.remove(pending);
    if (pending.ended) return;
    if (error.reason !== undefined) this.observer.inferenceRefused(this.model, error.reason);
    pending.fail(error);
  }

  #part(pending: PendingRequest, part: ResponsePart): void {
    pending.part(part, this.now());
    this.#line.heard(part);
  }

  #watchDeadline(pending: PendingRequest): void {
    const { request } = pending;
    const own = this.limits.clientTimeoutMs > 0 ? request.receivedAtMs + this.limits.clientTimeoutMs : Number.POSITIVE_INFINITY;
    const deadlineAtMs = Math.min(own, request.deadlineAtMs ?? Number.POSITIVE_INFINITY);
    if (deadlineAtMs === Number.POSITIVE_INFINITY) return;
    pending.watchDeadline(deadlineAtMs - this.now(), () => {
      this.#refuse(pending, DeadlineExceeded({ model: this.model, afterMs: deadlineAtMs - request.receivedAtMs }));
      this.#settle();
    });
  }

  #watchWaiting(pending: PendingRequest): void {
    if (!pending.watched) this.#watchClient(pending);
    else if (pending.request.cancelled.aborted) this.#refuse(pending, RequestCancelled({}));
    this.#watchForLane();
  }

  #watchClient(pending: PendingRequest): void {
    pending.watched = true;
    const { cancelled } = pending.request;
    const drop = () => {
      if (pending.dispatchedAtMs !== undefined && !this.discipline.heedsDepartures) return;
      this.#refuse(pending, RequestCancelled({}));
      this.#settle();
    };
    if (cancelled.aborted) return drop();
    cancelled.addEventListener('abort', drop, { once: true });
    pending.onEnd(() => cancelled.removeEventListener('abort', drop));
  }

  /** While no lane is there, the oldest request waits at most `loadingPatienceMs` for one. */
  #watchForLane(): void {
    if (this.#usableLanes() > 0 || this.#noLaneTimer !== undefined) return;
    const oldest = this.#line.first();
    if (oldest === undefined) return;
    const leftMs = oldest.enqueuedAtMs + this.limits.loadingPatienceMs - this.now();
    this.#noLaneTimer = setTimeout(
      () => {
        this.#noLaneTimer = undefined;
        if (this.#usableLanes() > 0) return;
        const expiredBefore = this.now() - this.limits.loadingPatienceMs;
        for (const pending of this.#line) {
          if (pending.enqueuedAtMs > expiredBefore + 1) continue;
          this.#refuse(pending, ModelLoading({ model: this.model, version: pending.request.version }));
        }
        this.#watchForLane();
        this.#settle();
      },
      Math.max(1, leftMs),
    );
  }

  #dispatch(): void {
    for (;;) {
      if (this.#line.length === 0) return;
      const nowMs = this.now();
      const next = this.#line.next(this.#lanes.values(), nowMs);
      if (next.kind === 'empty') return;
      // A lane that already runs one batch is no reason to send a short one after it before its time.
      if (next.kind === 'wait') return this.#wakeAt(next.untilMs, nowMs);
      this.#send(next.load, next.requests, nowMs);
    }
  }

  #wakeAt(untilMs: number, nowMs: number): void {
    if (untilMs >= this.#wakesAtMs) return;
    this.#gatheringSinceMs ??= nowMs;
    clearTimeout(this.#batchTimer);
    this.#wakesAtMs = untilMs;
    this.#batchTimer = setTimeout(
      () => {
        this.#wakesAtMs = Number.POSITIVE_INFINITY;
        this.#dispatch();
      },
      Math.max(0, untilMs - nowMs),
    );
  }

  #send(load: LaneLoad, taken: readonly PendingRequest[], nowMs: number): void {
    const entries: PendingRequest[] = [];
    for (const pending of taken) {
      if (pending.ended) {
        this.#line.remove(pending);
        continue;
      }
      this.#line.sent(pending);
      pending.dispatchedAtMs = nowMs;
      if (this.#gatheringSinceMs !== undefined) pending.batchWaitMs = Math.max(0, nowMs - Math.max(this.#gatheringSinceMs, pending.enqueuedAtMs));
      this.observer.queueTime(nowMs - pending.enqueuedAtMs);
      entries.push(pending);
    }
    clearTimeout(this.#batchTimer);
    this.#wakesAtMs = Number.POSITIVE_INFINITY;
    this.#gatheringSinceMs = undefined;
    if (entries.length === 0) return;
    // To the back of the line, so that lanes take turns.
    this.#lanes.delete(load.lane);
    this.#lanes.set(load.lane, load);
    load.take(entries);
  }

  #freed(load: LaneLoad): void {
    if (this.#gathersTurns && !load.running) this.#dispatchThisTurn();
    else this.#dispatch();
    load.carryOn();
    this.#settle();
  }

  #leaveWhenEmpty(load: LaneLoad): void {
    if (!load.empty || load.onEmpty === undefined || this.#line.waitsFor(load.lane)) return;
    const left = load.onEmpty;
    load.onEmpty = undefined;
    this.#lanes.delete(load.lane);
    for (const orphan of this.#line.laneGone(load.lane)) this.#refuse(orphan, WorkerDied({}));
    this.#watchForLane();
    left();
  }

  #retryOrFail(pending: PendingRequest, loss: LaneLoss): void {
    pending.deaths += 1;
    const again = this.limits.retryOnWorkerDeath && pending.deaths < 2 && !pending.begun && !this.#draining;
    if (!again) return this.#refuse(pending, WorkerDied({ outOfMemory: loss.outOfMemory }));
    pending.alone = true;
    this.#putBack(pending, loss);
  }

  #putBack(pending: PendingRequest, loss: LaneLoss): void {
    if (!this.#line.putBack(pending)) return this.#refuse(pending, WorkerDied({ outOfMemory: loss.outOfMemory }));
    pending.dispatchedAtMs = undefined;
    this.#watchWaiting(pending);
  }

  #usableLanes(): number {
    let usable = 0;
    for (const load of this.#lanes.values()) if (!load.leaving) usable += 1;
    return usable;
  }

  /** Whether a request more could start at once. */
  #hasTicket(request: InferenceRequest): boolean {
    if (this.#line.isHeldUp(request)) return false;
    let startable = 0;
    for (const load of this.#lanes.values()) if (!load.leaving) startable += load.startable;
    return startable > this.#line.length;
  }

  /** After something has ended: lanes that leave may go, and those who wait for quiet hear of it. */
  #settle(): void {
    for (const load of this.#lanes.values()) if (load.leaving) this.#leaveWhenEmpty(load);
    if (this.#whenQuiet.length === 0 || this.#line.length > 0) return;
    for (const load of this.#lanes.values()) if (!load.empty) return;
    for (const resolve of this.#whenQuiet.splice(0)) resolve();
  }
}
