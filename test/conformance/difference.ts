import type { Comparison, KnownDifference, Observed } from './comparison.js';

export interface Difference {
  /** Steps through the tree, joined by `/`. */
  readonly place: string;
  readonly torchserve: Observed | undefined;
  readonly sconce: Observed | undefined;
  readonly known: KnownDifference | undefined;
}

/** All places where the two differ, in order; those that are meant carry their reason. */
export function differences(
  torchserve: Observed,
  sconce: Observed,
  { name, tolerance }: Pick<Comparison, 'name' | 'tolerance'>,
  known: readonly KnownDifference[],
): readonly Difference[] {
  const found: Difference[] = [];
  const meant = known.filter(({ comparisons }) => comparisons?.test(name) ?? true);
  const compare = (theirs: Observed | undefined, ours: Observed | undefined, place: string): void => {
    if (theirs === ours) return;
    if (isTree(theirs) && isTree(ours) && Array.isArray(theirs) === Array.isArray(ours)) {
      const keys = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
      for (const key of keys) compare(theirs[key], ours[key], place === '' ? key : `${place}/${key}`);
    } else if (!isClose(theirs, ours, tolerance?.relative ?? 0)) {
      found.push({ place, torchserve: theirs, sconce: ours, known: meant.find((one) => one.place.test(place)) });
    }
  };
  compare(torchserve, sconce, '');
  return found;
}

function isTree(value: Observed | undefined): value is { readonly [key: string]: Observed } {
  return typeof value === 'object' && value !== null;
}

function isClose(theirs: Observed | undefined, ours: Observed | undefined, relative: number): boolean {
  if (typeof theirs !== 'number' || typeof ours !== 'number') return false;
  return Math.abs(theirs - ours) <= relative * Math.max(Math.abs(theirs), Math.abs(ours));
}
