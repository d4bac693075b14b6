import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { SconceError } from '../errors/sconce-error.js';
import type { Batch, BatchSink } from '../inference/batch.js';
import type { Answer, ResponsePart } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { Observer } from '../observability/observer.js';
import { Dispatcher, type DispatchLimits } from './dispatcher.js';
import type { Lane } from './lane.js';

const silent: Observer = {
  inferenceRequested() {},
  inferenceAnswered() {},
  inferenceRefused() {},
  queueTime() {},
  workerThreadTime() {},
  workerLoaded() {},
  httpAnswered() {},
  workerOutput() {},
};

let lastRequest = 0;

function aRequest(over: Partial<InferenceRequest> = {}): InferenceRequest {
  lastRequest += 1;
  return {
    id: `r${lastRequest}`,
    model: 'm',
    version: undefined,
    purpose: 'predict',
    headers: [],
    inputs: [],
    receivedAtMs: performance.now(),
    deadlineAtMs: undefined,
    cancelled: new AbortController().signal,
    ...over,
  };
}

class RecordedAnswer implements Answer {
  readonly parts: ResponsePart[] = [];
  readonly failures: SconceError[] = [];

  part(part: ResponsePart): void {
    this.parts.push(part);
  }

  fail(error: SconceError): void {
    this.failures.push(error);
  }

  get outcome(): string | undefined {
    const ends = this.failures.length + this.parts.filter((part) => part.last).length;
    if (ends > 1) return 'answered more than once';
    return this.failures[0]?.code ?? this.parts.find((part) => part.last)?.body.toString();
  }
}

class RecordingLane implements Lane {
  readonly runs: { batch: Batch; sink: BatchSink }[] = [];
  timeouts = 0;

  constructor(
    readonly name: string,
    readonly pipelineDepth = 1,
  ) {}

  run(batch: Batch, sink: BatchSink): void {
    this.runs.push({ batch, sink });
  }

  timedOut(): void {
    this.timeouts += 1;
  }

  /** Answers the nth batch it was given with each request's id. */
  answer(n: number, handlerMs = 1): void {
    const run = this.runs[n];
    run?.batch.requests.forEach((request, index) => {
      run.sink.part(index, aPart(request.id));
    });
    run?.sink.done(handlerMs);
  }

  ids(n: number): string[] {
    return this.runs[n]?.batch.requests.map((request) => request.id) ?? [];
  }
}

function aPart(text: string, last = true): ResponsePart {
  return { status: 200, reason: '', headers: [], body: Buffer.from(text), last };
}

const LIMITS: DispatchLimits = {
  batchSize: 1,
  maxBatchDelayMs: 100,
  queueSize: 3,
  responseTimeoutMs: 1000,
  loadingPatienceMs: 3000,
  clientTimeoutMs: 0,
  retryOnWorkerDeath: true,
  useJobTicket: false,
};

function aDispatcher(over: Partial<DispatchLimits> = {}): Dispatcher {
  const dispatcher = new Dispatcher('m', { ...LIMITS, ...over }, silent);
  dispatcher.supplyChanged({ replicas: 1, hopeful: 1 });
  return dispatcher;
}

function offer(dispatcher: Dispatcher, over: Partial<InferenceRequest> = {}): { answer: RecordedAnswer; id: string } {
  const request = aRequest(over);
  const answer = new RecordedAnswer();
  dispatcher.offer(request, answer);
  return { answer, id: request.id };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a dispatcher', () => {
  it('hands a request to an idle lane at once and answers it once', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    const { answer, id } = offer(dispatcher);
    lane.answer(0);
    lane.answer(0);

    expect(answer.outcome).toBe(id);
  });

  it('lets lanes take turns', () => {
    const dispatcher = aDispatcher({ queueSize: 10 });
    const lanes = [new RecordingLane('a'), new RecordingLane('b')];
    for (const lane of lanes) dispatcher.laneReady(lane);

    for (let n = 0; n < 4; n += 1) {
      const { id } = offer(dispatcher);
      const taker = lanes.find((lane) => lane.ids(lane.runs.length - 1).includes(id));
      taker?.answer(taker.runs.length - 1, 50);
    }

    expect(lanes.map((lane) => lane.runs.length)).toEqual([2, 2]);
  });

  it('refuses what does not fit in the queue and keeps what does', () => {
    const dispatcher = aDispatcher({ queueSize: 2 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    const answers = Array.from({ length: 4 }, () => offer(dispatcher).answer);

    expect(answers.map((answer) => answer.outcome)).toEqual([undefined, undefined, undefined, 'QUEUE_FULL']);
    for (let n = 0; n < 3; n += 1) lane.answer(n, 50);
    expect(answers.slice(0, 3).every((answer) => answer.parts.length === 1)).toBe(true);
  });

  it('answers at once when the model has no workers', () => {
    const dispatcher = aDispatcher();
    dispatcher.supplyChanged({ replicas: 0, hopeful: 0 });

    expect(offer(dispatcher).answer.outcome).toBe('NO_WORKERS');
  });

  it('answers those who wait when the last worker gives up', () => {
    const dispatcher = aDispatcher();
    const { answer } = offer(dispatcher);

    dispatcher.supplyChanged({ replicas: 1, hopeful: 0 });

    expect(answer.outcome).toBe('WORKERS_EXHAUSTED');
  });

  it('keeps a request waiting for a loading worker no longer than its patience', () => {
    const dispatcher = aDispatcher();
    const { answer } = offer(dispatcher);

    vi.advanceTimersByTime(2999);
    expect(answer.outcome).toBeUndefined();
    vi.advanceTimersByTime(2);

    expect(answer.outcome).toBe('MODEL_LOADING');
  });

  it('sends a full batch at once and a short one when the oldest has waited its delay', () => {
    const dispatcher = aDispatcher({ batchSize: 2, queueSize: 10 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    const first = [offer(dispatcher).id, offer(dispatcher).id];
    expect(lane.ids(0)).toEqual(first);
    lane.answer(0);
    const third = offer(dispatcher).id;
    vi.advanceTimersByTime(99);
    expect(lane.runs.length).toBe(1);
    vi.advanceTimersByTime(1);

    expect(lane.ids(1)).toEqual([third]);
  });

  it('tells waiting for company apart from waiting for a worker', () => {
    const dispatcher = aDispatcher({ batchSize: 2 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const { answer } = offer(dispatcher);

    vi.advanceTimersByTime(100);
    lane.answer(0);

    expect(answer.parts[0]?.timings).toMatchObject({ queueMs: 0, batchWaitMs: 100 });
  });

  it('never mixes explanations and predictions in a batch, and runs a describe request alone', () => {
    const dispatcher = aDispatcher({ batchSize: 4, queueSize: 10 });
    offer(dispatcher, { id: 'p1' });
    offer(dispatcher, { id: 'e1', purpose: 'explain' });
    offer(dispatcher, { id: 'd1', purpose: 'describe' });
    offer(dispatcher, { id: 'p2' });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    for (let n = 0; n < 3; n += 1) lane.answer(n, 50);
    vi.advanceTimersByTime(100);

    expect(lane.runs.map((_, n) => lane.ids(n))).toEqual([['p1'], ['e1'], ['d1'], ['p2']]);
  });

  it('answers a request whose deadline passes in the queue and never gives it to a lane', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    offer(dispatcher);

    const { answer } = offer(dispatcher, { deadlineAtMs: performance.now() + 50 });
    vi.advanceTimersByTime(50);
    lane.answer(0, 50);

    expect(answer.outcome).toBe('DEADLINE_EXCEEDED');
    expect(lane.runs.length).toBe(1);
  });

  it('answers a request whose deadline passes while it runs, and drops the late answer', () => {
    const dispatcher = aDispatcher({ clientTimeoutMs: 50 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    const { answer } = offer(dispatcher);
    vi.advanceTimersByTime(50);
    lane.answer(0, 60);

    expect(answer.outcome).toBe('DEADLINE_EXCEEDED');
  });

  it('drops the queued request of a client that has gone', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    offer(dispatcher);
    const client = new AbortController();

    offer(dispatcher, { cancelled: client.signal });
    client.abort();
    lane.answer(0, 50);

    expect(lane.runs.length).toBe(1);
    expect(dispatcher.pendingRequests).toBe(0);
  });

  it('tries the requests of a dead worker once more, each alone', () => {
    const dispatcher = aDispatcher({ batchSize: 2 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const a = offer(dispatcher);
    const b = offer(dispatcher);

    dispatcher.laneLost(lane, { outOfMemory: false });
    const successor = new RecordingLane('b');
    dispatcher.laneReady(successor);
    successor.answer(0, 50);
    successor.answer(1, 50);

    expect(successor.runs.map((_, n) => successor.ids(n))).toEqual([[a.id], [b.id]]);
    expect([a.answer.outcome, b.answer.outcome]).toEqual([a.id, b.id]);
  });

  it('fails only the request that was in flight at two deaths', () => {
    const dispatcher = aDispatcher({ batchSize: 2 });
    const first = new RecordingLane('a');
    dispatcher.laneReady(first);
    const poison = offer(dispatcher);
    const mate = offer(dispatcher);
    dispatcher.laneLost(first, { outOfMemory: false });
    const second = new RecordingLane('b');
    dispatcher.laneReady(second);
    dispatcher.laneLost(second, { outOfMemory: true });
    const third = new RecordingLane('c');
    dispatcher.laneReady(third);
    third.answer(0);

    expect(poison.answer.outcome).toBe('WORKER_DIED');
    expect(poison.answer.failures[0]?.rendering.http).toBe(507);
    expect(mate.answer.outcome).toBe(mate.id);
  });

  it('fails the requests of a dead worker at once where retrying is off', () => {
    const dispatcher = aDispatcher({ retryOnWorkerDeath: false });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const { answer } = offer(dispatcher);

    dispatcher.laneLost(lane, { outOfMemory: false });

    expect(answer.outcome).toBe('WORKER_DIED');
  });

  it('does not try again what has begun to stream', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const { answer } = offer(dispatcher);
    lane.runs[0]?.sink.part(0, aPart('half', false));

    dispatcher.laneLost(lane, { outOfMemory: false });

    expect(answer.outcome).toBe('WORKER_DIED');
  });

  it('counts no death against a batch that merely waited in the pipe of the dead worker', () => {
    const dispatcher = aDispatcher({ queueSize: 10 });
    const lane = new RecordingLane('a', 2);
    dispatcher.laneReady(lane);
    offer(dispatcher);
    lane.answer(0, 1);
    const ran = offer(dispatcher);
    const waited = offer(dispatcher);
    expect(lane.runs.length).toBe(3);

    dispatcher.laneLost(lane, { outOfMemory: false });
    const second = new RecordingLane('b');
    dispatcher.laneReady(second);
    dispatcher.laneLost(second, { outOfMemory: false });
    const third = new RecordingLane('c');
    dispatcher.laneReady(third);
    third.answer(0);

    expect(ran.answer.outcome).toBe('WORKER_DIED');
    expect(waited.answer.outcome).toBe(waited.id);
  });

  it('answers a batch that takes too long and asks for the worker to be replaced; what waited behind it runs elsewhere', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const slow = offer(dispatcher);
    const next = offer(dispatcher);

    vi.advanceTimersByTime(1000);
    dispatcher.laneLost(lane, { outOfMemory: false });
    const successor = new RecordingLane('b');
    dispatcher.laneReady(successor);
    successor.answer(0);

    expect(lane.timeouts).toBe(1);
    expect(slow.answer.outcome).toBe('RESPONSE_TIMEOUT');
    expect(next.answer.outcome).toBe(next.id);
  });

  it('gives a stream its whole time-out again with every part', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const { answer, id } = offer(dispatcher);

    for (let n = 0; n < 3; n += 1) {
      vi.advanceTimersByTime(900);
      lane.runs[0]?.sink.part(0, aPart('.', false));
    }
    lane.answer(0);

    expect(answer.outcome).toBe(id);
  });

  it('answers a request that its batch forgot', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const { answer } = offer(dispatcher);

    lane.runs[0]?.sink.done(1);

    expect(answer.outcome).toBe('PREDICTION_MISSING');
  });

  it('gives a leaving lane nothing new and tells when it is empty', async () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const running = offer(dispatcher);
    const left = dispatcher.laneLeaving(lane);
    const later = offer(dispatcher);

    lane.answer(0);
    await left;

    expect(running.answer.outcome).toBe(running.id);
    expect(lane.runs.length).toBe(1);
    expect(later.answer.outcome).toBeUndefined();
  });

  it('drains: refuses what is new, answers what was accepted', async () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const running = offer(dispatcher);
    const waiting = offer(dispatcher);
    const drained = dispatcher.drain(new AbortController().signal);
    const late = offer(dispatcher);

    lane.answer(0, 50);
    lane.answer(1, 50);
    await drained;

    expect([running.answer.outcome, waiting.answer.outcome, late.answer.outcome]).toEqual([running.id, waiting.id, 'DRAINING']);
  });

  it('answers the rest as draining when the time for it is over', async () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const running = offer(dispatcher);
    const waiting = offer(dispatcher);

    await dispatcher.drain(AbortSignal.abort());

    expect([running.answer.outcome, waiting.answer.outcome]).toEqual(['DRAINING', 'DRAINING']);
  });

  it('accepts only what an idle worker can take where job tickets are on', () => {
    const dispatcher = aDispatcher({ useJobTicket: true });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    offer(dispatcher);

    expect(offer(dispatcher).answer.outcome).toBe('QUEUE_FULL');
  });
});
