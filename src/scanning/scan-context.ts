import type { ScanFinding } from '../inference/scan-report.js';
import type { ByteSource } from './byte-source.js';
import type { OwnClasses } from './pickle/name-rules.js';
import type { ScanBudget } from './scan-budget.js';

/** One file, or what lies in one. */
export interface Content {
  readonly source: ByteSource;
  /** As findings name it. */
  readonly path: string;
  /** How many containers it lies in. */
  readonly depth: number;
  /** It lies in a TorchScript archive, whose pickles torch's own loader reads. */
  readonly isTorchScript: boolean;
}

/** What the scan of one model carries along. */
export interface ScanContext {
  readonly budget: ScanBudget;
  readonly own: OwnClasses;
  report(finding: ScanFinding): void;
  /** Scans what was found in a container. */
  scan(content: Content): Promise<void>;
}

/** A member of a container, one level deeper. */
export function inside(outer: Content, name: string, source: ByteSource, isTorchScript = outer.isTorchScript): Content {
  return { source, path: `${outer.path} » ${printable(name)}`, depth: outer.depth + 1, isTorchScript };
}

/** Names of members may hold anything. */
export function printable(text: string): string {
  return JSON.stringify(text.slice(0, 200)).slice(1, -1);
}
