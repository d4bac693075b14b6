import { describe, expect, it } from 'vitest';
import { LineCutter, LineTail } from './line-tail.js';

function cut(...chunks: readonly string[]): readonly string[] {
  const lines: string[] = [];
  const cutter = new LineCutter((line) => lines.push(line));
  for (const chunk of chunks) cutter.write(Buffer.from(chunk, 'latin1'));
  cutter.end();
  return lines;
}

describe('LineCutter', () => {
  it('lines are whole however the bytes were cut', () => {
    expect(cut('on', 'e\ntw', 'o\r\n', 'three')).toEqual(['one', 'two', 'three']);
  });

  it('a character whose bytes arrive apart stays one character', () => {
    const [first, second] = [Buffer.from('ä').subarray(0, 1), Buffer.from('ä').subarray(1)];

    expect(cut(first.toString('latin1'), second.toString('latin1'))).toEqual(['ä']);
  });

  it('an endless line is given out in pieces', () => {
    expect(cut('x'.repeat(200_000)).map((line) => line.length)).toEqual([65536, 65536, 65536, 3392]);
  });
});

describe('LineTail', () => {
  it('the last fifty lines are kept, each at most a thousand characters', () => {
    const tail = new LineTail();

    for (let n = 0; n < 60; n += 1) tail.add(n === 59 ? 'y'.repeat(5000) : `line ${n}`);

    expect(tail.lines).toHaveLength(50);
    expect(tail.lines[0]).toBe('line 10');
    expect(tail.lines.at(-1)).toHaveLength(1000);
  });

  it('the last words are those of the last line that holds any', () => {
    const tail = new LineTail();
    expect(tail.lastWords).toBe('');

    for (const line of ['first', "  ModuleNotFoundError: No module named 'torch' ", '==========', '']) tail.add(line);

    expect(tail.lastWords).toBe("ModuleNotFoundError: No module named 'torch'");
  });
});
