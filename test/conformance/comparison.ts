import type { ServerUnderTest } from '../archives/run-step.js';

/** What a server showed, as a tree of plain values; what no two answers share is normalised away by whoever made it. */
export type Observed = null | boolean | number | string | readonly Observed[] | { readonly [key: string]: Observed };

/** A server of a pair, with all its doors. */
export interface ComparedServer extends ServerUnderTest {
  readonly metrics: string;
  /** `127.0.0.1:7070` */
  readonly grpcInference: string;
  readonly grpcManagement: string;
  /** Its working directory: its key file lies here, its logs below. */
  readonly folder: string;
}

/** A difference that is meant, and stands in docs/compatibility.md. */
export interface KnownDifference {
  /** Names of the comparisons in which it shows; all of the group where left out. */
  readonly comparisons?: RegExp;
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
  ask(server: ComparedServer): Promise<Observed>;
  readonly tolerance?: Tolerance;
}

/** Comparisons in the order in which they are asked; a file of this folder gives one or several. */
export interface ComparisonGroup {
  readonly name: string;
  /** Lines of config.properties beyond the common ones; groups with the same ones share a pair of servers. */
  readonly settings: Readonly<Record<string, string>>;
  /** Whether the servers write snapshots. */
  readonly snapshots?: true;
  /** Files and folders to be put into the model store, by their path. */
  readonly store: readonly string[];
  readonly comparisons: readonly Comparison[];
}
