import type { KnownDifference } from './comparison.js';

/** Differences that are meant, by the group in which they show. Each stands in docs/compatibility.md. */
export const KNOWN: Readonly<Record<string, readonly KnownDifference[]>> = {};
