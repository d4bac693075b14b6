/** `dangerous`: it does something that no honest file of weights does. `unknown`: it could not be judged. */
export type ScanVerdict = 'clean' | 'unknown' | 'dangerous';

/** One thing that a scanner saw. A `note` weighs nothing. */
export interface ScanFinding {
  readonly level: 'note' | 'unknown' | 'dangerous';
  /** Stable and short: `pickle-call`, `zip-headers`, `python-source`. */
  readonly rule: string;
  /** Path below the model's folder; what lies in a container comes behind ` » `. */
  readonly file: string;
  /** In bytes, from the start of the innermost file. */
  readonly offset?: number | undefined;
  readonly opcode?: string | undefined;
  /** What a pickle imports or calls: `os.system`. */
  readonly name?: string | undefined;
  /** One line. */
  readonly says: string;
  /** Who says so, where it isn't the server's own scanner: `clamd`, `virustotal`, or a name out of sconce_scanners. */
  readonly scanner?: string | undefined;
}

/** What a scan of a model found. */
export interface ScanReport {
  readonly verdict: ScanVerdict;
  readonly findings: readonly ScanFinding[];
  /** Findings beyond those that are kept. */
  readonly leftOut: number;
  readonly files: number;
  readonly bytes: number;
  /** SHA-256 of files with an `unknown` or `dangerous` finding, by path. */
  readonly hashes: Readonly<Record<string, string>>;
  /** The archive's hash, as describe has it. */
  readonly contentHash: string;
  /** Which rules judged. */
  readonly rules: string;
  /** Who looked, the server's own scanner first. */
  readonly scanners: readonly string[];
  /** The word in sconce_scan_permit by which a dangerous or unknown model is served all the same. */
  readonly permittedBy?: string | undefined;
}
