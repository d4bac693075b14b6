import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { aDispatcher, aPart, offer, RecordingLane, SEQUENCE_HEADERS } from '../../test/fixtures/dispatching.js';
import { silentObserver } from '../../test/fixtures/silent-observer.js';
import type { ModelConfig } from '../inference/model-config.js';
import { noModelConfig } from '../models/model-config.js';
import { chooseDiscipline } from './discipline.js';
import { Dispatcher } from './dispatcher.js';

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

  it('does so too for requests that gather and whose clients are heeded to the end', async () => {
    const dispatcher = aDispatcher({ batchSize: 4, maxBatchDelayMs: 0 }, { asyncCommunication: true });
    const { answer } = offer(dispatcher);

    await new Promise((resolve) => setImmediate(resolve));
    vi.advanceTimersByTime(3001);

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

  it('lets requests of one turn leave together where batches wait for nobody', async () => {
    const dispatcher = aDispatcher({ batchSize: 4, maxBatchDelayMs: 0, queueSize: 10 });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    const turn = [offer(dispatcher).id, offer(dispatcher).id, offer(dispatcher).id];
    await new Promise((resolve) => setImmediate(resolve));

    expect(lane.runs.map((_, n) => lane.ids(n))).toEqual([turn]);
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

  it('blames no lane for the time in which its batch has to wait for others', () => {
    const dispatcher = aDispatcher();
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);
    const { answer } = offer(dispatcher);

    lane.runs[0]?.sink.held?.(true);
    vi.advanceTimersByTime(5000);
    expect([answer.outcome, lane.timeouts]).toEqual([undefined, 0]);
    lane.runs[0]?.sink.held?.(false);
    vi.advanceTimersByTime(1100);

    expect([answer.outcome, lane.timeouts]).toEqual(['RESPONSE_TIMEOUT', 1]);
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

  it('tells the lane once of a client that goes in the middle of a stream, and of none that waits for an answer in one piece', () => {
    const dispatcher = aDispatcher({ batchSize: 3, maxBatchDelayMs: 0 });
    const lane = new RecordingLane('a');
    const clients = [new AbortController(), new AbortController(), new AbortController()];
    const [streams, whole, read] = clients.map(({ signal }) => offer(dispatcher, { cancelled: signal }));
    dispatcher.laneReady(lane);
    const sink = lane.runs[0]?.sink;
    sink?.part(0, aPart('first', false));
    sink?.part(2, aPart('first', false));
    sink?.part(2, aPart('last'));

    for (const client of clients) client.abort();
    sink?.part(0, aPart('second', false));
    lane.answer(0);

    expect(lane.cancelled).toEqual([streams?.id]);
    expect([whole?.answer.outcome, read?.answer.outcome]).toEqual([whole?.id, 'last']);
    expect(dispatcher.pendingRequests).toBe(0);
  });

  it('accepts only what an idle worker can take where job tickets are on', () => {
    const dispatcher = aDispatcher({ useJobTicket: true });
    const lane = new RecordingLane('a');
    dispatcher.laneReady(lane);

    offer(dispatcher);

    expect(offer(dispatcher).answer.outcome).toBe('QUEUE_FULL');
  });

  it('with job tickets accepts no more than the batch that gathers can hold', () => {
    const dispatcher = aDispatcher({ useJobTicket: true, batchSize: 2, queueSize: 10 });
    dispatcher.laneReady(new RecordingLane('a'));
    dispatcher.laneReady(new RecordingLane('b'));

    const outcomes = Array.from({ length: 5 }, () => offer(dispatcher).answer.outcome);

    expect(outcomes).toEqual([undefined, undefined, undefined, undefined, 'QUEUE_FULL']);
  });

  it.each<[string, Partial<ModelConfig>]>([
    ['in turn', {}],
    ['overlapping', { asyncCommunication: true }],
    ['in steps', { continuousBatching: true }],
  ])('tells of each request that the end of its time cuts off, waiting or running, %s', async (_, config) => {
    const told: string[] = [];
    const limits = { batchSize: 1, maxBatchDelayMs: 0, queueSize: 3, responseTimeoutMs: 1000, loadingPatienceMs: 3000, clientTimeoutMs: 0 };
    const discipline = chooseDiscipline({ name: 'm', backend: 'python', config: { ...noModelConfig(), ...config } }, limits, SEQUENCE_HEADERS);
    const observer = silentObserver({ inferenceRefused: (_model, reason) => told.push(reason) });
    const dispatcher = new Dispatcher('m', discipline, { ...limits, retryOnWorkerDeath: true, useJobTicket: false }, observer);
    dispatcher.laneReady(new RecordingLane('a'));
    const both = [offer(dispatcher), offer(dispatcher)];

    await dispatcher.drain(AbortSignal.abort());

    expect(both.map(({ answer }) => answer.outcome)).toEqual(['DRAINING', 'DRAINING']);
    expect(told).toEqual(['draining', 'draining']);
  });
});
