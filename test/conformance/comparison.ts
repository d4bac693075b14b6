import type { ServerUnderTest } from '../archives/run-step.js';

/** What a server showed, as a tree of plain values; what no two answers share is normalised away by whoever made it. */
export type Observed = null | boolean | number | string | readonly Observed[] | { readonly [key: string]: Observed };

/** A difference that is meant, and stands in docs/compatibility.md. */
export interface KnownDifference {
  /** Place in the tree, its steps joined by `/`: `0/headers/connection`. */
  readonly place: RegExp;
  readonly reason: string;
}

/** How far numbers may lie apart. */
interface Tolerance {
  /** Relative to the larger of the two. */
  readonly relative: number;
  readonly reason: string;
}

/** One thing that is asked of both servers and must come out the same. */
export interface Comparison {
  /** A sentence that is unique in its group. */
  readonly name: string;
  ask(server: ServerUnderTest): Promise<Observed>;
  readonly tolerance?: Tolerance;
  readonly known?: readonly KnownDifference[];
}

/** Comparisons in the order in which they are asked; a file of this folder gives one or several. */
export interface ComparisonGroup {
  readonly name: string;
  /** Lines of config.properties beyond the common ones; groups with the same ones share a pair of servers. */
  readonly settings: Readonly<Record<string, string>>;
  /** Files and folders to be put into the model store, by their path. */
  readonly store: readonly string[];
  readonly comparisons: readonly Comparison[];
}
