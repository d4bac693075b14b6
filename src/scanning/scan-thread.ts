import type { ScanLimits } from './scan-budget.js';
import { scanTree, type TreeScan } from './scan-tree.js';

/** A file or folder to scan. */
export interface ScanTask {
  readonly path: string;
  readonly limits: ScanLimits;
}

/** A failure is a value, since errors lose their class between threads. */
export type ScanOutcome = { readonly ok: true; readonly scan: TreeScan } | { readonly ok: false; readonly why: string };

/** Runs on a thread of its own. */
export default async function run({ path, limits }: ScanTask): Promise<ScanOutcome> {
  try {
    return { ok: true, scan: await scanTree(path, limits) };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : String(error) };
  }
}
