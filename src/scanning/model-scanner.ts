import { ScanFailed, ScanRefused } from '../errors/scanning.js';
import type { ScanFinding, ScanReport, ScanVerdict } from '../inference/scan-report.js';
import type { Log } from '../observability/observer.js';
import type { Protection } from '../observability/protections.js';
import type { TaskPool } from '../threads/task-pool.js';
import type { ExternalScanner } from './external/external-scanner.js';
import { keepInQuarantine } from './quarantine.js';
import { RULES_VERSION } from './rules-version.js';
import { SCAN_LIMITS } from './scan-budget.js';
import type { ScanOutcome, ScanTask } from './scan-thread.js';
import { filesOf, type TreeScan } from './scan-tree.js';
import type { VerdictCache } from './verdict-cache.js';

type ScanLevel = 'off' | 'warn' | 'standard' | 'require';

/** A model on its way in. */
export interface ScanSubject {
  /** The name that it is to be served under. */
  readonly name: string;
  /** What will be loaded. */
  readonly directory: string;
  /** SHA-256 of the archive's bytes, or what tells a folder from its former self. */
  readonly contentHash: string;
  /** The content hash is one of bytes: what it says of them holds for ever. */
  readonly isArchive: boolean;
  /** The archive as it was downloaded; undefined where it lay here already. */
  readonly downloaded: string | undefined;
}

export interface ModelScannerOptions {
  readonly level: ScanLevel;
  /** Names and hashes out of sconce_scan_permit. */
  readonly permits: readonly string[];
  readonly pool: TaskPool<ScanTask, ScanOutcome>;
  readonly cache: VerdictCache;
  readonly external: readonly ExternalScanner[];
  /** Folder for refused downloads. */
  readonly quarantine: string | undefined;
  readonly log: Log;
}

const OWN = 'sconce';
const LOGGED_FINDINGS = 10;
const REFUSED: Readonly<Record<ScanLevel, readonly ScanVerdict[]>> = { off: [], warn: [], standard: ['dangerous'], require: ['dangerous', 'unknown'] };

/** Judges a model before anything of it is loaded. Nothing of an archive has a say in it: level and permits are the operator's. */
export class ModelScanner {
  constructor(private readonly options: ModelScannerOptions) {}

  /** The report of a model that may be served; undefined where scans are off. Rejects with ScanRefused, ScanFailed. */
  async check(subject: ScanSubject): Promise<ScanReport | undefined> {
    const { level, log, quarantine } = this.options;
    if (level === 'off') return undefined;
    const report = this.#permitted(subject.name, await this.examine(subject));
    const found = report.findings.filter((finding) => finding.level !== 'note');
    for (const finding of found.slice(0, LOGGED_FINDINGS)) log.warn(`Scan of model ${subject.name}: ${finding.level}: ${sentence(finding)}`);
    if (found.length > LOGGED_FINDINGS) log.warn(`Scan of model ${subject.name}: ${found.length - LOGGED_FINDINGS} more findings`);
    if (!REFUSED[level].includes(report.verdict)) {
      if (report.verdict === 'dangerous') log.warn(`Model ${subject.name} is dangerous and is served: sconce_scan=warn`);
      return report;
    }
    if (report.permittedBy !== undefined) {
      log.warn(`Model ${subject.name} is ${report.verdict} and is served: sconce_scan_permit has ${report.permittedBy}`);
      return report;
    }
    if (quarantine !== undefined && subject.downloaded !== undefined) {
      const kept = await keepInQuarantine(quarantine, subject.downloaded, report).catch((error: unknown) =>
        log.error('A refused archive could not be kept in quarantine', error),
      );
      if (kept !== undefined) log.warn(`The refused archive of model ${subject.name} is kept as ${kept}`);
    }
    const counted = found.filter((finding) => REFUSED[level].includes(finding.level === 'note' ? 'clean' : finding.level));
    const [first] = counted.filter((finding) => finding.level === report.verdict);
    const hash = subject.isArchive ? subject.contentHash : (Object.values(report.hashes)[0] ?? subject.contentHash);
    throw ScanRefused({ model: subject.name, found: first === undefined ? '' : sentence(first), more: counted.length - 1, hash });
  }

  /** What all scanners say, whoever may be served. Rejects with ScanFailed. */
  async examine({ name, directory, contentHash, isArchive }: Omit<ScanSubject, 'downloaded'>): Promise<ScanReport> {
    const own = await this.#own(name, directory, isArchive ? contentHash : undefined);
    const subject = {
      path: directory,
      files: filesOf(directory),
      archiveHash: isArchive ? contentHash : undefined,
    };
    const others = await Promise.all(this.options.external.map((scanner) => scanner.scan(subject)));
    const findings = [...own.findings, ...others.flat()];
    const { leftOut, files, bytes, hashes } = own;
    const scanners = [OWN, ...this.options.external.map((scanner) => scanner.name)];
    return { verdict: verdictOf(findings), findings, leftOut, files, bytes, hashes, contentHash, rules: RULES_VERSION, scanners };
  }

  /** What the scan holds on this server. */
  async protection(): Promise<Protection> {
    const { level, external, permits } = this.options;
    const faults = (await Promise.all(external.map((scanner) => scanner.fault()))).filter((fault) => fault !== undefined);
    const name = 'scanning';
    if (level === 'off') return { name, holds: false, says: 'models are loaded unscanned; set sconce_scan=standard' };
    if (faults.length > 0) return { name, holds: false, says: `${faults.join('; ')}; models are scanned without it, and count as unknown` };
    if (level === 'warn') return { name, holds: false, says: 'models are scanned, and dangerous ones are served; set sconce_scan=standard' };
    const refused = level === 'require' ? 'dangerous and unknown ones are refused' : 'dangerous ones are refused';
    const but = permits.length > 0 ? `, but for ${permits.length} in sconce_scan_permit` : '';
    return {
      name,
      holds: true,
      says: `models are scanned before they are loaded (${[OWN, ...external.map((scanner) => scanner.name)].join(', ')}); ${refused}${but}`,
    };
  }

  async #own(name: string, path: string, hash: string | undefined): Promise<TreeScan> {
    const { cache, pool } = this.options;
    const known = hash === undefined ? undefined : await cache.find(hash);
    if (known !== undefined) return known;
    const outcome = await pool.run({ path, limits: SCAN_LIMITS }).catch((error: unknown) => {
      throw ScanFailed({ model: name, why: error instanceof Error ? error.message : String(error) }, error);
    });
    if (!outcome.ok) throw ScanFailed({ model: name, why: outcome.why });
    if (hash !== undefined) await cache.keep(hash, outcome.scan);
    return outcome.scan;
  }

  /** By name, by the archive's hash, or by the hashes of all files with findings. */
  #permitted(name: string, report: ScanReport): ScanReport {
    const permits = new Set(this.options.permits.map((permit) => permit.toLowerCase().replace(/^sha256:/, '')));
    const hashes = Object.values(report.hashes);
    const isFound =
      hashes.length > 0 &&
      hashes.every((hash) => permits.has(hash)) &&
      report.findings.every(({ level, scanner }) => level === 'note' || scanner === undefined);
    const permittedBy = this.options.permits.includes(name)
      ? name
      : permits.has(report.contentHash)
        ? report.contentHash
        : isFound
          ? hashes.join(', ')
          : undefined;
    return permittedBy === undefined ? report : { ...report, permittedBy };
  }
}

function verdictOf(findings: readonly ScanFinding[]): ScanVerdict {
  if (findings.some(({ level }) => level === 'dangerous')) return 'dangerous';
  return findings.some(({ level }) => level === 'unknown') ? 'unknown' : 'clean';
}

/** `weights.pkl calls os.system when it is unpickled (REDUCE at byte 30)` */
export function sentence({ file, says, opcode, offset, scanner }: ScanFinding): string {
  const where = opcode === undefined ? '' : ` (${opcode} at byte ${offset})`;
  return `${file === '' ? 'it' : file} ${says}${where}${scanner === undefined ? '' : ` [${scanner}]`}`;
}
