import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OutputLines } from './output-lines.js';

function linesOf(chunks: readonly (string | Buffer)[], maxLineBytes?: number): string[] {
  const taken: string[] = [];
  const lines = new OutputLines((line) => taken.push(line), maxLineBytes);
  for (const chunk of chunks) lines.push(Buffer.from(chunk));
  lines.end();
  return taken;
}

describe('output', () => {
  it('is split at LF, CR LF and CR, and what is left at the end is a line', () => {
    expect(linesOf(['one\ntwo\r\nthree\rfour'])).toEqual(['one', 'two', 'three', 'four']);
    expect(linesOf(['\n\r\n\r'])).toEqual(['', '', '']);
    expect(linesOf(['done\n'])).toEqual(['done']);
  });

  it('gives the same lines however it is cut into chunks', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'ü', '🙂', '\n', '\r', '\r\n'), maxLength: 40 });
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 7 }), (written, size) => {
        const bytes = Buffer.from(written);
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));
        const [unended, ...ended] = written.split(/\r\n|\r|\n/).reverse();

        expect(linesOf(chunks)).toEqual([...ended.reverse(), ...(unended ? [unended] : [])]);
      }),
    );
  });

  it('without line breaks comes in pieces of bounded length, cut between characters', () => {
    const pieces = linesOf(['é'.repeat(10), '🙂'.repeat(3)], 7);

    expect(pieces.join('')).toBe('é'.repeat(10) + '🙂'.repeat(3));
    expect(Math.max(...pieces.map((piece) => Buffer.byteLength(piece)))).toBeLessThanOrEqual(7);
  });

  it('that is no UTF-8 still comes, in bounded pieces', () => {
    expect(linesOf([Buffer.alloc(20, 0x80)], 8)).toEqual(['�'.repeat(8), '�'.repeat(8), '�'.repeat(4)]);
  });
});
