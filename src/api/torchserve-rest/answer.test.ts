import { afterEach, describe, expect, it, vi } from 'vitest';
import { KeptReply } from '../../../test/fixtures/http-exchange.js';
import { KeptLog, silentObserver } from '../../../test/fixtures/silent-observer.js';
import { Invariant } from '../../errors/admission.js';
import { HandlerFailed, WorkerDied } from '../../errors/backend.js';
import { DeadlineExceeded } from '../../errors/scheduling.js';
import type { ResponsePart } from '../../inference/part.js';
import { ANYONE } from '../../inference/principal.js';
import type { HeaderPair, InferenceRequest } from '../../inference/request.js';
import { RestAnswer } from './answer.js';

const request: InferenceRequest = {
  id: 'r1',
  principal: ANYONE,
  model: 'm',
  version: '1.0',
  purpose: 'predict',
  headers: [],
  inputs: [],
  receivedAtMs: performance.now() - 5,
  deadlineAtMs: undefined,
  cancelled: new AbortController().signal,
};

const aPart = (text: string, over: Partial<ResponsePart> = {}): ResponsePart => ({
  status: 200,
  reason: '',
  headers: [],
  body: Buffer.from(text),
  last: true,
  ...over,
});

function anAnswer(headers: readonly HeaderPair[] = [], cancelled = request.cancelled) {
  const reply = new KeptReply();
  const log = new KeptLog();
  const answered: { readonly model: string; readonly version: string | undefined; readonly latencyUs: number; readonly queueUs: number }[] = [];
  const observer = silentObserver({ inferenceAnswered: (model, version, latencyUs, queueUs) => answered.push({ model, version, latencyUs, queueUs }) });
  return { answer: new RestAnswer({ ...request, headers, cancelled }, reply, { observer, log }), reply, log, answered };
}

describe('a single part', () => {
  it('is a plain answer with the handler’s status, phrase, headers and bytes', () => {
    const { answer, reply } = anAnswer();

    answer.part(aPart('out', { status: 507, reason: 'My Phrase', headers: [['Content-Type', 'text/x']] }));

    expect(reply).toMatchObject({ status: 507, reason: 'My Phrase', body: 'out', ending: 'whole', chunks: ['out'] });
    expect(reply.header('content-type')).toBe('text/x');
  });

  it('has no content type of its own', () => {
    const { answer, reply } = anAnswer();

    answer.part(aPart('out'));

    expect(reply.headers.map(([name]) => name)).toEqual(['Server-Timing']);
    expect(reply.reason).toBe('');
  });

  it('tells where its time went', () => {
    const { answer, reply, answered } = anAnswer();

    answer.part(aPart('out', { timings: { queueMs: 1.25, batchWaitMs: 0, handlerMs: 12.34567 } }));

    expect(reply.header('Server-Timing')).toMatch(/^queue;dur=1\.25, batch;dur=0, handler;dur=12\.346, total;dur=\d+(\.\d{1,3})?$/);
    expect(answered).toMatchObject([{ model: 'm', version: '1.0', queueUs: 1250 }]);
    expect(answered[0]?.latencyUs).toBeGreaterThan(5000);
  });

  it('that is marked as a stream’s last is a plain answer too', () => {
    const { answer, reply } = anAnswer();

    answer.part(aPart('out', { headers: [['ts_stream_next', 'false']] }));

    expect(reply).toMatchObject({ status: 200, ending: 'whole' });
  });
});

describe('a stream', () => {
  const next = { headers: [['ts_stream_next', 'true']], last: false } as const;

  it('takes status and headers from its first part and sends one chunk per part', () => {
    const { answer, reply, answered } = anAnswer();

    answer.part(aPart('one', { ...next, status: 201 }));
    expect(reply).toMatchObject({ ending: 'open', chunks: ['one'], status: 201 });
    answer.part(aPart('two', { ...next, status: 500 }));
    expect(answered).toEqual([]);
    answer.part(aPart('three'));

    expect(reply).toMatchObject({ ending: 'whole', chunks: ['one', 'two', 'three'], status: 201 });
    expect(reply.header('ts_stream_next')).toBe('true');
    expect(answered).toHaveLength(1);
  });

  it('that fails midway is cut', () => {
    const { answer, reply } = anAnswer();

    answer.part(aPart('one', next));
    answer.fail(WorkerDied({}));

    expect(reply).toMatchObject({ ending: 'cut', chunks: ['one'] });
  });

  it('whose client reads too slowly is cut, and the rest of it is dropped', () => {
    const { answer, reply, log } = anAnswer();
    reply.slowFrom = 2;

    answer.part(aPart('one', next));
    answer.part(aPart('two', next));
    answer.part(aPart('three', next));
    answer.part(aPart('four'));

    expect(reply).toMatchObject({ ending: 'cut', chunks: ['one', 'two'] });
    expect(log.lines).toEqual(['INFO The client of request r1 reads too slowly; its stream is cut']);
  });
});

describe('a stream for a client that accepts server-sent events', () => {
  const next = { last: false } as const;
  const accepting: readonly HeaderPair[] = [['Accept', 'text/event-stream']];
  afterEach(() => vi.useRealTimers());

  it('has one event per part, a line of data per line', () => {
    const { answer, reply } = anAnswer(accepting);

    answer.part(aPart('one', { ...next, headers: [['Content-Type', 'text/plain']] }));
    answer.part(aPart('a\nb\r\n', next));
    answer.part(aPart('{"x": 1}'));

    expect(reply.headers.filter(([name]) => name.toLowerCase() === 'content-type')).toEqual([['content-type', 'text/event-stream']]);
    expect(reply).toMatchObject({ ending: 'whole', chunks: ['data: one\n\n', 'data: a\ndata: b\ndata: \n\n', 'data: {"x": 1}\n\n'] });
  });

  it('has no event for an empty end', () => {
    const { answer, reply } = anAnswer(accepting);

    answer.part(aPart('one', next));
    answer.part(aPart(''));

    expect(reply).toMatchObject({ ending: 'whole', chunks: ['data: one\n\n'] });
  });

  it('that fails midway ends with an event that says why', () => {
    const { answer, reply } = anAnswer(accepting);

    answer.part(aPart('one', next));
    answer.fail(WorkerDied({}));

    expect(reply.ending).toBe('whole');
    expect(reply.chunks[1]).toBe('event: error\ndata: {"code":500,"type":"InternalServerException","message":"Worker died."}\n\n');
  });

  it('has comments while nothing comes, until its end', () => {
    vi.useFakeTimers();
    const { answer, reply } = anAnswer(accepting);

    answer.part(aPart('one', next));
    vi.advanceTimersByTime(14_000);
    answer.part(aPart('two', next));
    vi.advanceTimersByTime(14_000);
    expect(reply.chunks).toHaveLength(2);
    vi.advanceTimersByTime(1000);
    expect(reply.chunks[2]).toBe(': keep-alive\n\n');
    answer.part(aPart(''));

    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['failed', (kept: ReturnType<typeof anAnswer>, _gone: AbortController) => kept.answer.fail(WorkerDied({}))],
    ['been left by its client', (_kept: ReturnType<typeof anAnswer>, gone: AbortController) => gone.abort()],
    [
      'been cut',
      ({ answer, reply }: ReturnType<typeof anAnswer>) => {
        reply.slowFrom = 0;
        answer.part(aPart('two', next));
      },
    ],
  ])('has no comments when it has %s', (_how, end) => {
    vi.useFakeTimers();
    const gone = new AbortController();
    const kept = anAnswer(accepting, gone.signal);

    kept.answer.part(aPart('one', next));
    end(kept, gone);

    expect(vi.getTimerCount()).toBe(0);
  });

  it.each([
    ['are events already', { body: Buffer.from('data: one\n\n') }],
    ['have their type already', { headers: [['Content-Type', 'text/event-stream; charset=utf-8']] as const }],
  ])('is left alone where its parts %s', (_how, over) => {
    const { answer, reply } = anAnswer(accepting);

    answer.part(aPart('one', { ...next, ...over }));
    answer.part(aPart('two'));

    expect(reply.chunks[1]).toBe('two');
  });

  it('is one that names the type among others, and not with a quality of 0', () => {
    const framed = (accept: string) => {
      const { answer, reply } = anAnswer([['accept', accept]]);
      answer.part(aPart('one', next));
      answer.part(aPart(''));
      return reply.chunks[0] === 'data: one\n\n';
    };

    expect(['application/json, text/event-stream;q=0.9', 'TEXT/event-stream'].map(framed)).toEqual([true, true]);
    expect(['*/*', 'text/plain', 'text/event-stream;q=0', 'text/event-streams'].map(framed)).toEqual([false, false, false, false]);
  });

  it('is none where the answer is whole at once', () => {
    const { answer, reply } = anAnswer(accepting);

    answer.part(aPart('out'));

    expect(reply).toMatchObject({ body: 'out', ending: 'whole' });
  });
});

describe('a failure', () => {
  it('is rendered with its status, type and outcome word', () => {
    const { answer, reply, answered } = anAnswer();

    answer.fail(DeadlineExceeded({ model: 'm', afterMs: 100 }));

    expect(reply.status).toBe(504);
    expect(JSON.parse(reply.body).type).toBe('RequestTimeoutException');
    expect(reply.header('x-sconce-reason')).toBe('deadline');
    expect(answered).toEqual([]);
  });

  it('of a handler keeps the handler’s code and text, 413 turned into 507', () => {
    for (const [status, shown] of [
      [599, 599],
      [413, 507],
      [503, 503],
    ] as const) {
      const { answer, reply } = anAnswer();
      answer.fail(HandlerFailed({ status, message: 'Some text' }));
      expect(JSON.parse(reply.body)).toEqual({ code: shown, type: 'InternalServerException', message: 'Some text' });
    }
  });

  it('of our own is logged and told without details', () => {
    const { answer, reply, log } = anAnswer();

    answer.fail(Invariant({ what: 'detail' }));

    expect(reply.body).not.toContain('detail');
    expect(log.lines.join()).toContain('detail');
  });
});

describe('anything after the end', () => {
  it('changes nothing and is logged as a fault of ours', () => {
    const { answer, reply, log, answered } = anAnswer();

    answer.part(aPart('out'));
    answer.part(aPart('again'));
    answer.fail(WorkerDied({}));

    expect(reply).toMatchObject({ ending: 'whole', chunks: ['out'] });
    expect(answered).toHaveLength(1);
    expect(log.lines).toHaveLength(2);
  });
});
