import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aDispatcher, aPart, offer, type RecordedAnswer, RecordingLane } from '../../test/fixtures/dispatching.js';
import { HandlerFailed } from '../errors/backend.js';
import type { ModelConfig } from '../inference/model-config.js';
import { Principal } from '../inference/principal.js';

type Event =
  | {
      readonly do: 'offer';
      readonly tenant: string;
      readonly sequence: string;
      readonly deadlineMs: number | undefined;
      readonly ends: boolean;
      readonly describe: boolean;
    }
  | { readonly do: 'ready' }
  | { readonly do: 'lost'; readonly lane: number }
  | { readonly do: 'leaving'; readonly lane: number }
  | { readonly do: 'word'; readonly lane: number; readonly run: number; readonly how: 'whole' | 'step' | 'fail' | 'silent' }
  | { readonly do: 'hang-up'; readonly request: number }
  | { readonly do: 'wait'; readonly ms: number };

const EVENT: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: offers() },
  { weight: 3, arbitrary: fc.constant<Event>({ do: 'ready' }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('lost' as const, 'leaving' as const), lane: fc.nat(3) }) },
  { weight: 8, arbitrary: words() },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('hang-up' as const), request: fc.nat(30) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(0, 20, 150, 1200) }) },
);

function offers(): fc.Arbitrary<Event> {
  return fc.record({
    do: fc.constant('offer' as const),
    tenant: fc.constantFrom('a', 'a', 'a', 'b'),
    sequence: fc.constantFrom('', 'x', 'y', 'z'),
    deadlineMs: fc.constantFrom(undefined, undefined, undefined, 100),
    ends: fc.nat(9).map((n) => n === 0),
    describe: fc.nat(9).map((n) => n === 0),
  });
}

function words(): fc.Arbitrary<Event> {
  return fc.record({
    do: fc.constant('word' as const),
    lane: fc.nat(3),
    run: fc.nat(2),
    how: fc.constantFrom('whole' as const, 'whole' as const, 'step' as const, 'fail' as const, 'silent' as const),
  });
}

const SEQUENCES: Partial<ModelConfig> = {
  sequenceBatching: true,
  sequenceMaxIdleMs: 100,
  sequenceTimeoutMs: 900,
  maxNumSequence: 3,
  maxSequenceJobQueueSize: 2,
};

/** What happened, told by lanes that keep what they were given. */
class World {
  readonly lanes: RecordingLane[] = [];
  readonly #said = new Map<RecordingLane, Set<number>>();
  readonly answers: RecordedAnswer[] = [];
  readonly #clients: AbortController[] = [];
  readonly #sequenceOf = new Map<string, string>();
  readonly #lastOf = new Map<string, number>();

  constructor(
    readonly dispatcher: ReturnType<typeof aDispatcher>,
    readonly isInTurn: boolean,
  ) {}

  apply(event: Event): void {
    if (event.do === 'offer') this.#offer(event);
    else if (event.do === 'ready') this.#ready();
    else if (event.do === 'wait') vi.advanceTimersByTime(event.ms);
    else if (event.do === 'hang-up') this.#clients[event.request % Math.max(1, this.#clients.length)]?.abort();
    else {
      const lane = this.lanes[event.lane % Math.max(1, this.lanes.length)];
      if (lane === undefined) return;
      if (event.do === 'lost') this.lose(lane);
      else if (event.do === 'leaving') void this.dispatcher.laneLeaving(lane);
      else this.#word(lane, event.run, event.how);
    }
  }

  lose(lane: RecordingLane): void {
    this.lanes.splice(this.lanes.indexOf(lane), 1);
    this.dispatcher.laneLost(lane, { outOfMemory: false });
  }

  /** A healthy lane does all that is left. */
  finish(): void {
    for (const lane of [...this.lanes]) this.lose(lane);
    this.#ready();
    const [lane] = this.lanes;
    for (let patience = 0; patience < 10; patience += 1) {
      vi.advanceTimersByTime(150);
      while (lane !== undefined && this.#open(lane).length > 0) this.#word(lane, 0, 'whole');
    }
  }

  #open(lane: RecordingLane): readonly number[] {
    const said = this.#said.get(lane);
    return lane.runs.map((_, n) => n).filter((n) => !said?.has(n));
  }

  #offer({ tenant, sequence, deadlineMs, ends, describe }: Extract<Event, { do: 'offer' }>): void {
    const client = new AbortController();
    const { answer, id } = offer(this.dispatcher, {
      principal: new Principal(tenant, tenant, []),
      headers: [['seq_id', sequence], ...(ends ? [['seq_end', 'true'] as const] : [])],
      deadlineAtMs: deadlineMs === undefined ? undefined : performance.now() + deadlineMs,
      cancelled: client.signal,
      purpose: describe ? 'describe' : 'predict',
    });
    this.answers.push(answer);
    this.#clients.push(client);
    this.#sequenceOf.set(id, describe ? '' : sequence);
  }

  #ready(): void {
    if (this.lanes.length >= 4) return;
    const lane = new RecordingLane(`lane ${this.lanes.length}`, 3);
    this.lanes.push(lane);
    this.#said.set(lane, new Set());
    this.dispatcher.laneReady(lane);
  }

  /** The lane says something of one of its open batches: the oldest where they run in turn. */
  #word(lane: RecordingLane, which: number, how: 'whole' | 'step' | 'fail' | 'silent'): void {
    const open = this.#open(lane);
    const n = open[this.isInTurn ? 0 : which % Math.max(1, open.length)];
    const run = n === undefined ? undefined : lane.runs[n];
    if (n === undefined || run === undefined) return;
    this.#said.get(lane)?.add(n);
    for (const [index, { id }] of run.batch.requests.entries()) {
      if (how === 'whole') run.sink.part(index, aPart(id));
      if (how === 'step') run.sink.part(index, aPart(id, false));
      if (how === 'fail') run.sink.fail(index, HandlerFailed({ status: 503, message: 'Prediction failed' }));
    }
    run.sink.done(1);
  }

  /** Of each sequence at most one request is at a worker. */
  assertApart(): void {
    const running = this.lanes.flatMap((lane) => this.#open(lane).flatMap((n) => lane.ids(n)));
    const sequences = running.map((id) => this.#sequenceOf.get(id)).filter((sequence) => sequence !== '');
    expect(new Set(sequences).size).toBe(sequences.length);
  }

  /** No batch holds two first requests of one sequence, and those of one sequence come to a lane in their order. */
  assertOrder(): void {
    for (const lane of this.lanes) {
      const seen = new Set<string>();
      for (const { batch } of lane.runs) {
        const fresh = batch.requests.filter(({ id }) => !seen.has(id));
        const sequences = fresh.map(({ id }) => this.#sequenceOf.get(id)).filter((sequence) => sequence !== '');
        expect(new Set(sequences).size).toBe(sequences.length);
        for (const { id } of fresh) seen.add(id);
        for (const { id } of fresh) this.#assertLater(lane, id);
      }
    }
    this.#lastOf.clear();
  }

  #assertLater(lane: RecordingLane, id: string): void {
    const key = `${lane.name} ${this.#sequenceOf.get(id)}`;
    if (this.#sequenceOf.get(id) === '') return;
    const number = Number(id.slice(1));
    expect(number).toBeGreaterThan(this.#lastOf.get(key) ?? 0);
    this.#lastOf.set(key, number);
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('whatever happens to workers and clients', () => {
  it.each<[string, Partial<ModelConfig>]>([
    ['in turn', {}],
    ['overlapping', { asyncCommunication: true }],
    ['in steps', { continuousBatching: true }],
    ['sequences in turn', SEQUENCES],
    ['sequences overlapping', { ...SEQUENCES, asyncCommunication: true }],
    ['sequences in steps', { ...SEQUENCES, continuousBatching: true }],
  ])('every request is answered exactly once, %s', (_, config) => {
    fc.assert(
      fc.property(fc.array(EVENT, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), fc.constantFrom(0, 100), (events, batchSize, maxBatchDelayMs) => {
        const dispatcher = aDispatcher({ batchSize, maxBatchDelayMs, queueSize: 8, responseTimeoutMs: 2_000 }, config, 2);
        const world = new World(dispatcher, !config.asyncCommunication);

        for (const event of events) world.apply(event);
        if (config.sequenceBatching) world.assertOrder();
        world.finish();

        expect(world.answers.map((answer) => answer.outcome)).not.toContain(undefined);
        expect(world.answers.map((answer) => answer.outcome)).not.toContain('answered more than once');
        expect(dispatcher.pendingRequests).toBe(0);
        void dispatcher.drain(AbortSignal.abort());
        vi.runAllTimers();
      }),
      { numRuns: 300 },
    );
  });

  it.each<[string, Partial<ModelConfig>]>([
    ['in turn', {}],
    ['overlapping', { asyncCommunication: true }],
  ])('requests of one sequence are at a worker one at a time, %s', (_, config) => {
    fc.assert(
      fc.property(fc.array(EVENT, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), (events, batchSize) => {
        const dispatcher = aDispatcher({ batchSize, queueSize: 8, responseTimeoutMs: 60_000 }, { ...SEQUENCES, sequenceTimeoutMs: 0, ...config }, 2);
        const world = new World(dispatcher, !config.asyncCommunication);

        for (const event of events) {
          world.apply(event.do === 'offer' ? { ...event, ends: false, deadlineMs: undefined } : event);
          world.assertApart();
        }
        void dispatcher.drain(AbortSignal.abort());
        vi.runAllTimers();
      }),
      { numRuns: 300 },
    );
  });
});
