import { describe, expect, it } from 'vitest';
import { requestLines, userStack } from './handler-failure.js';

describe('userStack', () => {
  it('leaves out the frames that lead to the handler, and tells the causes', () => {
    const error = new Error('outer', { cause: new RangeError('inner') });
    error.stack =
      'Error: outer\n    at handle (file:///models/m/handler.mjs:3:9)\n    at #answer (file:///app/dist/backends/javascript/handler-model.js:77:40)\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)\n    at file:///app/dist/backends/thread-server.js:12:1';

    const lines = userStack(error).split('\n');

    expect(lines.slice(0, 3)).toEqual(['Error: outer', '    at handle (file:///models/m/handler.mjs:3:9)', 'Caused by: RangeError: inner']);
  });

  it('tells the members of an AggregateError', () => {
    const stack = userStack(new AggregateError([new Error('a'), 'b'], 'both'));

    expect(stack).toMatch(/^AggregateError: both\n.*Caused by: Error: a\n.*Caused by: 'b'$/s);
  });

  it.each([
    ['text', 'oops', "'oops'"],
    ['nothing', undefined, 'undefined'],
    [
      'what cannot be looked at',
      Object.defineProperty(new Error('x'), 'stack', {
        get() {
          throw new Error('no');
        },
      }),
      'The handler threw something that cannot be shown.',
    ],
  ])('tells of %s', (_, thrown, told) => {
    expect(userStack(thrown)).toBe(told);
  });

  it('is bounded in lines and in their length', () => {
    const stack = userStack(new Error(`${'x'.repeat(5000)}\n`.repeat(500))).split('\n');

    expect(stack).toHaveLength(201);
    expect(Math.max(...stack.map((line) => line.length))).toBe(1002);
  });
});

describe('requestLines', () => {
  it('names eight requests to a line', () => {
    const lines = requestLines(Array.from({ length: 11 }, (_, n) => ({ id: `r${n}` })));

    expect(lines.map((line) => line.split(' ').length)).toEqual([8, 3]);
    expect(lines[0]?.startsWith('request_id=r0 request_id=r1 ')).toBe(true);
  });
});
