import type { Observed } from './comparison.js';

/** Keys of a model's description whose values no two runs share; `id` is one of a worker's only. */
const OF_THE_MOMENT = new Set(['startTime', 'pid', 'memoryUsage', 'loadedAtStartup']);

/** A description without what is of the moment: its kind stands in its place. */
export function withoutMoments(value: Observed): Observed {
  if (Array.isArray(value)) return value.map(withoutMoments);
  if (typeof value !== 'object' || value === null) return value;
  const isOfMoment = (key: string): boolean => OF_THE_MOMENT.has(key) || (key === 'id' && 'startTime' in value);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, isOfMoment(key) ? `<${typeof inner}>` : withoutMoments(inner)]));
}
