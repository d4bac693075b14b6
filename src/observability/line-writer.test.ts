import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { LineWriter } from './line-writer.js';

function writer(): { readonly lines: LineWriter; readonly blocks: string[] } {
  const blocks: string[] = [];
  return { lines: new LineWriter({ write: (text) => void blocks.push(text) }), blocks };
}

it('lines of one turn of the event loop are one block, handed on right after it', async () => {
  const { lines, blocks } = writer();

  lines.line('a');
  lines.line('b');
  expect(blocks).toEqual([]);
  await turn();
  lines.line('c');
  await turn();

  expect(blocks).toEqual(['a\nb\n', 'c\n']);
});

it('lines that keep coming are handed on in fewer blocks, none is lost, and the last ones come by themselves', async () => {
  const { lines, blocks } = writer();

  for (let n = 0; n < 1000; n += 1) {
    lines.line(String(n));
    await turn();
  }
  const early = blocks.length;
  await expect.poll(() => blocks.join('')).toBe(Array.from({ length: 1000 }, (_, n) => `${n}\n`).join(''));

  expect(early).toBeLessThan(500);
  await sleep(60);
  lines.line('later');
  await turn();
  expect(blocks.at(-1)).toBe('later\n');
});

it('a long block does not wait for the turn to end, nor does what is flushed', () => {
  const { lines, blocks } = writer();

  lines.line('x'.repeat(70_000));
  lines.line('y');
  lines.flush();
  lines.flush();

  expect(blocks.map((block) => block.length)).toEqual([70_001, 2]);
});
