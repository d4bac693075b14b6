import type { ScanFinding } from '../../inference/scan-report.js';
import { oneLine } from '../one-line.js';
import type { NamedFile } from '../scan-tree.js';

/** What a scanner from outside is asked about. */
export interface ExternalSubject {
  /** A file or folder; absolute. */
  readonly path: string;
  /** The regular files of it. */
  readonly files: readonly NamedFile[];
  /** SHA-256 of the archive that it came out of; undefined where there is none. */
  readonly archiveHash: string | undefined;
}

/**
 * A scanner that isn't the server's own. It may refuse a model; that it finds nothing acquits none. What it cannot tell is an `unknown` finding: it never
 * rejects.
 */
export interface ExternalScanner {
  readonly name: string;
  scan(subject: ExternalSubject): Promise<readonly ScanFinding[]>;
  /** What keeps it from working, in a few words; undefined when nothing does. */
  fault(): Promise<string | undefined>;
}

/** A finding of a scanner from outside. Its words go to logs and answers. */
export function external(scanner: string, level: ScanFinding['level'], file: string, says: string): ScanFinding {
  return { level, rule: 'external', file, says: oneLine(says), scanner };
}
