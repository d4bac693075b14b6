import { SequenceEnded } from '../errors/scheduling.js';
import { type WeightOf, whoMakesRoom } from '../inference/fair-share.js';
import type { ResponsePart } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import { decideBatch } from './batcher.js';
import type { Lane, Supply } from './lane.js';
import type { LaneLoad } from './lane-load.js';
import type { PendingRequest } from './pending-request.js';
import { RequestQueue } from './request-queue.js';
import { Seat } from './seat.js';
import { Sequence } from './sequence.js';
import { endedByHandler, endsSequence, type SequenceHeaderNames, sequenceIdOf, withSequence } from './sequence-headers.js';
import { type HandOut, type LineHost, NOTHING, type WaitingLine } from './waiting-line.js';

export interface SequenceLimits {
  readonly headers: SequenceHeaderNames;
  /** Sequences that may live at once. */
  readonly maxSequences: number;
  /** Requests of one sequence that may wait. */
  readonly queueSize: number;
  /** A sequence without a request for so long is over. */
  readonly maxIdleMs: number;
  /** Longest life of a sequence; 0: none. */
  readonly timeoutMs: number;
  readonly maxBatchDelayMs: number;
  /** The model's `job_queue_size`. It bounds only requests that belong to no sequence, which are those that describe. */
  readonly describeQueueSize: number;
  readonly weightOf: WeightOf;
}

/**
 * The requests of stateful sequences. Invariants: all requests of a sequence go to one lane, in their order, the next one when the one before is through;
 * a lane has at most its share of the sequences that may live; what a worker knew of a sequence ends with the worker, and so does the sequence. A sequence is its
 * tenant's alone. When no other may live, one of the tenant furthest above its part ends for a tenant that is within its own: an idle one, else the newest.
 */
export class SequenceLine implements WaitingLine {
  readonly #live = new Map<string, Sequence>();
  readonly #sequenceOf = new Map<PendingRequest, Sequence>();
  /** Sequences that wait for a seat, oldest first. */
  readonly #unseated = new Set<Sequence>();
  readonly #seats = new Map<Lane, Seat<Sequence>>();
  readonly #describes: RequestQueue;
  /** Everything that waits, in the order of arrival. */
  readonly #all = new RequestQueue(Number.POSITIVE_INFINITY);
  #sharers = 1;

  constructor(
    private readonly model: string,
    private readonly limits: SequenceLimits,
    private readonly host: LineHost,
  ) {
    this.#describes = new RequestQueue(limits.describeQueueSize);
  }

  get length(): number {
    return this.#all.length;
  }

  /** As TorchServe tells it, of the queue that sequences don't use. */
  get remainingCapacity(): number {
    return this.#describes.remainingCapacity;
  }

  prepared(request: InferenceRequest): InferenceRequest {
    return request.purpose === 'describe' ? request : withSequence(request, this.limits.headers);
  }

  push(pending: PendingRequest): boolean {
    const { request } = pending;
    if (request.purpose === 'describe') return this.#describes.push(pending) && this.#all.push(pending);
    const sequence = this.#sequenceFor(sequenceIdOf(request, this.limits.headers) ?? '', request.principal.tenant);
    if (sequence === undefined || sequence.waiting.length >= this.limits.queueSize) return false;
    clearTimeout(sequence.idleTimer);
    sequence.open += 1;
    sequence.waiting.push(pending);
    this.#all.push(pending);
    this.#sequenceOf.set(pending, sequence);
    pending.onEnd(() => this.#ended(pending, sequence));
    this.#seat();
    this.#ready(sequence);
    return true;
  }

  first(): PendingRequest | undefined {
    return this.#all.first();
  }

  remove(pending: PendingRequest): void {
    this.#all.remove(pending);
    this.#describes.remove(pending);
    const sequence = this.#sequenceOf.get(pending);
    const at = sequence?.waiting.indexOf(pending) ?? -1;
    if (sequence === undefined || at < 0) return;
    sequence.waiting.splice(at, 1);
    if (sequence.waiting.length === 0) sequence.seat?.ready.delete(sequence);
  }

  next(loads: Iterable<LaneLoad>, nowMs: number): HandOut {
    let untilMs = Number.POSITIVE_INFINITY;
    const describe = this.#describes.first();
    for (const load of loads) {
      if (load.room === 0) continue;
      if (describe !== undefined && !load.leaving) return { kind: 'take', load, requests: [describe] };
      const seat = this.#seats.get(load.lane);
      if (seat === undefined || seat.ready.size === 0) continue;
      const decision = decideBatch(seat, { batchSize: load.room, maxBatchDelayMs: load.running ? 0 : this.limits.maxBatchDelayMs }, nowMs);
      if (decision.kind === 'take') return { kind: 'take', load, requests: decision.requests };
      if (decision.kind === 'wait') untilMs = Math.min(untilMs, decision.untilMs);
    }
    return untilMs === Number.POSITIVE_INFINITY ? NOTHING : { kind: 'wait', untilMs };
  }

  sent(pending: PendingRequest): void {
    this.remove(pending);
    const sequence = this.#sequenceOf.get(pending);
    if (sequence === undefined) return;
    sequence.busy = pending;
    sequence.sent += 1;
    sequence.seat?.ready.delete(sequence);
  }

  /** A request that its worker was the first to know may go to another; one that counts on what a lost worker knew may not. */
  putBack(pending: PendingRequest): boolean {
    if (pending.request.purpose === 'describe') this.#describes.putBack(pending);
    else {
      const sequence = this.#sequenceOf.get(pending);
      if (sequence === undefined || sequence.closed || sequence.sent > 1) return false;
      sequence.sent = 0;
      sequence.busy = undefined;
      sequence.waiting.unshift(pending);
    }
    this.#all.putBack(pending);
    return true;
  }

  isHeldUp(request: InferenceRequest): boolean {
    const sequence = this.#live.get(sequenceIdOf(request, this.limits.headers) ?? '');
    return sequence !== undefined && (sequence.busy !== undefined || sequence.waiting.length > 0);
  }

  heard({ headers }: ResponsePart): void {
    for (const id of endedByHandler(headers, this.limits.headers)) {
      const sequence = this.#live.get(id);
      if (sequence !== undefined) this.#close(sequence);
    }
  }

  released(pending: PendingRequest): void {
    const sequence = this.#sequenceOf.get(pending);
    if (sequence === undefined || sequence.busy !== pending) return;
    sequence.busy = undefined;
    if (pending.ended) this.#sequenceOf.delete(pending);
    this.#settle(sequence);
  }

  laneReady(lane: Lane): void {
    this.#seats.set(lane, new Seat(lane));
    this.#seat();
  }

  laneLeaving(lane: Lane): void {
    const seat = this.#seats.get(lane);
    if (seat !== undefined) seat.leaving = true;
  }

  laneGone(lane: Lane): readonly PendingRequest[] {
    const seat = this.#seats.get(lane);
    this.#seats.delete(lane);
    const orphans: PendingRequest[] = [];
    for (const sequence of seat?.sequences ?? []) {
      sequence.seat = undefined;
      if (sequence.sent === 0) this.#unseated.add(sequence);
      else {
        orphans.push(...sequence.waiting);
        this.#end(sequence);
      }
    }
    this.#seat();
    return orphans;
  }

  waitsFor(lane: Lane): boolean {
    return [...(this.#seats.get(lane)?.sequences ?? [])].some((sequence) => sequence.waiting.length > 0);
  }

  supplyChanged({ hopeful }: Supply): void {
    this.#sharers = Math.max(1, hopeful);
    this.#seat();
  }

  close(): void {
    for (const sequence of this.#live.values()) this.#end(sequence);
  }

  [Symbol.iterator](): Iterator<PendingRequest> {
    return this.#all[Symbol.iterator]();
  }

  #sequenceFor(id: string, tenant: string): Sequence | undefined {
    const known = this.#live.get(id);
    // Another tenant hears what it hears when no more may live: not that there is one of this name.
    if (known !== undefined) return known.tenant === tenant ? known : undefined;
    const { maxSequences, timeoutMs } = this.limits;
    if (this.#live.size >= maxSequences) this.#makeRoomFor(tenant);
    if (this.#live.size >= maxSequences) return undefined;
    const sequence = new Sequence(id, tenant);
    this.#live.set(id, sequence);
    this.#unseated.add(sequence);
    if (timeoutMs > 0) sequence.lifeTimer = setTimeout(() => this.#close(sequence), timeoutMs);
    return sequence;
  }

  /** O(sequences that live), and only when they are as many as may. */
  #makeRoomFor(asking: string): void {
    const holdings = new Map<string, { readonly weight: number; held: number; readonly tenant: string }>();
    const holdingOf = (tenant: string) => {
      const known = holdings.get(tenant) ?? { tenant, weight: Math.max(1, this.limits.weightOf(tenant)), held: 0 };
      holdings.set(tenant, known);
      return known;
    };
    for (const { tenant } of this.#live.values()) holdingOf(tenant).held += 1;
    const above = whoMakesRoom(holdingOf(asking), holdings.values());
    if (above === undefined) return;
    const its = [...this.#live.values()].filter(({ tenant }) => tenant === above.tenant);
    const leaving = its.find((sequence) => sequence.idle) ?? its.at(-1);
    if (leaving !== undefined) this.#close(leaving);
  }

  /** Gives waiting sequences to lanes, each to the one that has the fewest, in turn where several have, as long as one has less than its share. */
  #seat(): void {
    const share = Math.max(1, Math.ceil(this.limits.maxSequences / this.#sharers));
    for (const sequence of this.#unseated) {
      let fewest: Seat<Sequence> | undefined;
      for (const seat of this.#seats.values()) {
        if (!seat.leaving && seat.sequences.size < (fewest?.sequences.size ?? share)) fewest = seat;
      }
      if (fewest === undefined) return;
      this.#unseated.delete(sequence);
      this.#seats.delete(fewest.lane);
      this.#seats.set(fewest.lane, fewest);
      fewest.sequences.add(sequence);
      sequence.seat = fewest;
      this.#ready(sequence);
    }
  }

  #ready(sequence: Sequence): void {
    if (sequence.next !== undefined) sequence.seat?.ready.add(sequence);
  }

  #ended(pending: PendingRequest, sequence: Sequence): void {
    sequence.open -= 1;
    if (sequence.busy !== pending) this.#sequenceOf.delete(pending);
    if (pending.dispatchedAtMs !== undefined && endsSequence(pending.request, this.limits.headers)) this.#close(sequence);
    else this.#settle(sequence);
  }

  /** After a request of it has ended or is through: the next may go, or the wait for one begins. */
  #settle(sequence: Sequence): void {
    if (sequence.closed) return;
    this.#ready(sequence);
    if (sequence.open > 0 || sequence.busy !== undefined) return;
    if (sequence.sent === 0) return this.#close(sequence);
    clearTimeout(sequence.idleTimer);
    sequence.idleTimer = setTimeout(() => this.#close(sequence), this.limits.maxIdleMs);
  }

  #close(sequence: Sequence): void {
    if (sequence.closed) return;
    const waiting = [...sequence.waiting];
    this.#end(sequence);
    for (const pending of waiting) this.host.fail(pending, SequenceEnded({ model: this.model, version: pending.request.version }));
    this.#seat();
    this.host.changed();
  }

  #end(sequence: Sequence): void {
    sequence.closed = true;
    clearTimeout(sequence.idleTimer);
    clearTimeout(sequence.lifeTimer);
    this.#live.delete(sequence.id);
    this.#unseated.delete(sequence);
    if (sequence.busy !== undefined) this.#sequenceOf.delete(sequence.busy);
    sequence.seat?.sequences.delete(sequence);
    sequence.seat?.ready.delete(sequence);
  }
}
