import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { WorkerOutput } from './worker-output.js';

const KIB = 1024;
/** With what a line costs beside its text. */
const LINE = `${'x'.repeat(896)}\n`;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

function anOutput(bytesPerS: number | undefined) {
  const kept: string[] = [];
  const last: string[] = [];
  const held: boolean[] = [];
  const source = { pause: () => held.push(true), resume: () => held.push(false) };
  const output = new WorkerOutput(source, { keep: (line) => kept.push(line), last: (line) => last.push(line) }, bytesPerS);
  return { output, kept, last, isHeld: () => held.at(-1) === true, dropped: () => kept.filter((line) => line.startsWith('sconce: ')) };
}

describe('the output of a worker', () => {
  it('within its allowance is kept line by line', () => {
    const { output, kept } = anOutput(KIB);

    output.push(Buffer.from('one\ntw'));
    output.push(Buffer.from('o\nthree'));
    output.end();

    expect(kept).toEqual(['one', 'two', 'three']);
  });

  it('beyond a burst of 16 s of its allowance is dropped for 5 s; one line tells how much', async () => {
    const { output, kept, dropped } = anOutput(KIB);
    for (let n = 0; n < 200; n += 1) output.push(Buffer.from(LINE));
    expect(kept).toHaveLength(16);

    await vi.advanceTimersByTimeAsync(5_000);
    output.push(Buffer.from(LINE));

    expect(dropped()).toEqual(['sconce: 184 lines (0.2 MiB) were dropped: the worker printed more than the 1 KiB a second that are kept']);
    expect(kept.at(-1)).toBe(LINE.trimEnd());
  });

  it('that is dropped is read slowly', async () => {
    const { output, isHeld } = anOutput(KIB);
    output.push(Buffer.from(LINE.repeat(30)));

    expect(isHeld()).toBe(true);
    await vi.advanceTimersByTimeAsync(2);
    expect(isHeld()).toBe(false);
  });

  it('cut off in the middle of a line goes on with the next whole one', async () => {
    const { output, kept } = anOutput(KIB);
    output.push(Buffer.from(`${LINE.repeat(20)}begin`));

    await vi.advanceTimersByTimeAsync(5_000);
    output.push(Buffer.from('ning\nwhole\n'));

    expect(kept.at(-1)).toBe('whole');
    expect(kept).not.toContain('ning');
  });

  it('keeps its last lines for the dossier even when the log does not get them', () => {
    const { output, kept, last, dropped } = anOutput(KIB);
    output.push(Buffer.from(LINE.repeat(40)));
    output.push(Buffer.from('Fatal Python error\nhere'));

    output.end();

    expect(last.slice(-2)).toEqual(['Fatal Python error', 'here']);
    expect(kept).not.toContain('here');
    expect(dropped()).toHaveLength(1);
  });

  it('of a worker that answers is kept, whatever the rate', () => {
    const { output, kept } = anOutput(KIB);
    for (let n = 0; n < 100; n += 1) {
      output.push(Buffer.from(LINE.repeat(3)));
      output.answered();
    }

    expect(kept).toHaveLength(300);
  });

  it('without a limit is kept whole', () => {
    const { output, kept, dropped } = anOutput(undefined);
    output.push(Buffer.from(LINE.repeat(5000)));
    output.end();

    expect(kept).toHaveLength(5000);
    expect(dropped()).toEqual([]);
  });
});

it('a chunk that takes long is worked on in turns, with the source held back meanwhile', async () => {
  vi.useRealTimers();
  const { output, kept, isHeld } = anOutput(undefined);
  output.push(Buffer.from('\n'.repeat(200_000)));
  const first = kept.length;

  await vi.waitFor(() => expect(kept).toHaveLength(200_000), 8_000);

  expect(first).toBeLessThan(200_000);
  expect(isHeld()).toBe(false);
});
