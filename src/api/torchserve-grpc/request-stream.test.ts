import { describe, expect, it } from 'vitest';
import { aCaller } from '../../../test/fixtures/caller.js';
import { aDescription, KeptModelService } from '../../../test/fixtures/kept-model-service.js';
import { silentObserver } from '../../../test/fixtures/silent-observer.js';
import { InferenceGate } from '../../admission/inference-gate.js';
import { HandlerFailed } from '../../errors/backend.js';
import type { Answer } from '../../inference/part.js';
import type { InferenceRequest } from '../../inference/request.js';
import type { GrpcCall, GrpcReply } from '../grpc-exchange.js';
import type { PredictionResponse, PredictionsRequest } from '../grpc-generated/inference.js';
import type { GrpcStatus } from '../grpc-status.js';
import { RequestStream } from './request-stream.js';

class KeptReply implements GrpcReply<PredictionResponse> {
  readonly sent: PredictionResponse[] = [];
  end_: GrpcStatus | undefined;

  get ended(): boolean {
    return this.end_ !== undefined;
  }

  send(message: PredictionResponse): void {
    this.sent.push(message);
  }

  end(): void {
    this.end_ = { code: 0, details: '' };
  }

  fail(status: GrpcStatus): void {
    this.end_ = status;
  }

  readable(): Promise<void> {
    return Promise.resolve();
  }
}

/** A stream before a model `m` whose answers the test gives. */
function aStream() {
  const models = new KeptModelService();
  models.versions.push(aDescription());
  const waiting: Answer[] = [];
  models.answers = (_request: InferenceRequest, answer: Answer) => void waiting.push(answer);
  const reply = new KeptReply();
  let drain = (): void => undefined;
  const call: GrpcCall = {
    ...aCaller(),
    id: 'c',
    receivedAtMs: 0,
    deadlineAtMs: undefined,
    closed: new AbortController().signal,
    onDrain: (listener) => {
      drain = listener;
    },
  };
  const keys = { id: 'seq-id', start: 'seq-start', end: 'seq-end' };
  const stream = new RequestStream({ call, reply, gate: new InferenceGate(models), observer: silentObserver(), keys, logFault: () => undefined });
  return { stream, reply, models, waiting, drain: () => drain() };
}

const request = (input: Readonly<Record<string, string>> = {}, sequenceId?: string, modelName = 'm'): PredictionsRequest => ({
  modelName,
  modelVersion: '',
  input: new Map(Object.entries(input).map(([name, value]) => [name, Buffer.from(value)])),
  sequenceId,
});
const answerWith = (text: string, last = true) => ({ status: 200, reason: '', headers: [], body: Buffer.from(text), last });

describe('what the handler is told of its sequence', () => {
  it.each([
    ['an id alone', request({}, 's'), [['seq-id', 's']]],
    [
      'an end',
      request({ 'seq-end': 'True' }, 's'),
      [
        ['seq-id', 's'],
        ['seq-end', 'true'],
      ],
    ],
    ['an end that is none', request({ 'seq-end': 'false' }, 's'), [['seq-id', 's']]],
    [
      'a start',
      request({ 'seq-start': 'true' }, 's'),
      [
        ['seq-id', 's'],
        ['seq-start', 'true'],
      ],
    ],
  ])('%s', (_, sent, headers) => {
    const { stream, models } = aStream();

    void stream.message(sent);

    expect(models.requests[0]?.headers).toEqual(headers);
  });

  it('an id is made up for a start without one, and told to the client', () => {
    const { stream, reply, models, waiting } = aStream();

    void stream.message(request({ 'seq-start': 'true' }));
    waiting[0]?.part(answerWith('x'));

    const id = models.requests[0]?.headers[0]?.[1];
    expect(id).toMatch(/^ts-seq-/);
    expect(reply.sent[0]?.sequenceId).toBe(id);
  });
});

describe('failures', () => {
  it('are told in `status` and end nothing', async () => {
    const { stream, reply, waiting } = aStream();

    await stream.message(request());
    await stream.message(request({}, 's', 'unknown'));
    await stream.message(request({}, 's'));
    waiting[0]?.fail(HandlerFailed({ status: 503, message: 'Prediction failed' }));
    await stream.message(request({}, 's'));
    waiting[1]?.part(answerWith('fine'));

    expect(reply.sent.map(({ status }) => [status?.code, status?.message])).toEqual([
      [13, 'Parameter sequenceId is required.'],
      [13, 'Model not found: unknown'],
      [14, 'Prediction failed'],
      [undefined, undefined],
    ]);
    expect(reply.ended).toBe(false);
  });
});

describe('the end', () => {
  it('comes after the last answer, not at the client’s last request', () => {
    const { stream, reply, waiting } = aStream();
    void stream.message(request({}, 's'));

    stream.halfClosed();
    expect(reply.ended).toBe(false);
    waiting[0]?.part(answerWith('1', false));
    waiting[0]?.part(answerWith('2'));

    expect(reply.sent.map(({ prediction }) => Buffer.from(prediction).toString())).toEqual(['1', '2']);
    expect(reply.end_?.code).toBe(0);
  });

  it('is UNAVAILABLE when the server stops, after what was accepted is answered', () => {
    const { stream, reply, waiting, drain } = aStream();
    void stream.message(request({}, 's'));

    drain();
    expect(reply.ended).toBe(false);
    waiting[0]?.part(answerWith('1'));

    expect(reply.end_?.code).toBe(14);
  });
});

it('reads no further request while 64 are open', async () => {
  const { stream, waiting } = aStream();
  for (let n = 0; n < 63; n += 1) await stream.message(request({}, 's'));
  let read = false;

  const last = stream.message(request({}, 's')).then(() => {
    read = true;
  });
  await Promise.resolve();
  await Promise.resolve();
  expect(read).toBe(false);
  waiting[7]?.part(answerWith('x'));

  await last;
  expect(read).toBe(true);
});
