import { defineError } from '../errors/sconce-error.js';

const DurationInvalid = defineError<{ flag: string; text: string }>('DURATION_INVALID', {
  kind: 'invalid',
  says: ({ flag, text }) => `${flag} ${text}; allowed: a number with s, m, h or d, such as 90d`,
});
const UNIT_MS = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Milliseconds of `90d`, `12h`, `30m`, `45s`. Throws DurationInvalid. */
export function lastingMs(flag: string, text: string): number {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const unitMs = UNIT_MS.get(unit);
  if (count === undefined || unitMs === undefined || Number(count) === 0) throw DurationInvalid({ flag, text });
  return Number(count) * unitMs;
}
