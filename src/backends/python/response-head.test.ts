import { expect, it } from 'vitest';
import { headOf } from './response-head.js';

it('what would end the header line, the message or its framing is left out of a head', () => {
  const good = [
    ['content-type', 'text/plain; charset=utf-8'],
    ['x-tab', 'a\tb'],
    ['ts_stream_next', 'false'],
  ] as const;
  const bad = [
    ['x y', 'name with a space'],
    ['', 'no name'],
    ['x-split', 'a\r\nset-cookie: b'],
    ['x-null', 'a\0'],
    ['x-wide', '→'],
    ['Transfer-Encoding', 'chunked'],
    ['content-length', '5'],
  ] as const;

  expect(headOf('tea', [...bad, ...good])).toEqual({ reason: 'tea', headers: good });
  expect(headOf('a\r\nb', [])).toEqual({ reason: '', headers: [] });
});
