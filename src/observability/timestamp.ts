function two(n: number): string {
  return n < 10 ? `0${n}` : String(n);
}

let lastMs = -1;
let lastText = '';

/** log4j2's ISO8601 in local time: `2025-01-31T10:00:00,123`. The text of the last millisecond is kept, since a busy server asks many times in one. */
export function logTimestamp(atMs: number): string {
  if (atMs === lastMs) return lastText;
  const at = new Date(atMs);
  const millis = String(at.getMilliseconds()).padStart(3, '0');
  lastText = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())},${millis}`;
  lastMs = atMs;
  return lastText;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** `31-Jan`, local time: the part of a rolled file's name. */
export function dayAndMonth(atMs: number): string {
  const at = new Date(atMs);
  return `${two(at.getDate())}-${MONTHS[at.getMonth()] ?? ''}`;
}
