import { expect, it } from 'vitest';
import { printable } from './printable.js';

it('leaves text and tabs as they are, and shows what a terminal would obey', () => {
  expect(printable('plain\ttext, ünïcode 🚀')).toBe('plain\ttext, ünïcode 🚀');
  expect(printable('\u001b[2Ja\rb\nc\u0000\u009b\u2028')).toBe('\\x1b[2Ja\\x0db\\x0ac\\x00\\x9b\\u2028');
});
