import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import type { ScanFinding } from '../inference/scan-report.js';
import { type ByteSource, FileBytes } from './byte-source.js';
import { oneLine } from './one-line.js';
import { readPythonSource } from './python-source/source-findings.js';
import { ScanBudget, ScanLimitReached, type ScanLimits } from './scan-budget.js';
import { scanContent } from './scan-content.js';
import type { ScanContext } from './scan-context.js';

/** What the server's own scanner saw in a file or folder. */
export interface TreeScan {
  readonly findings: readonly ScanFinding[];
  readonly leftOut: number;
  readonly files: number;
  readonly bytes: number;
  /** SHA-256 of files with an `unknown` or `dangerous` finding, by path. */
  readonly hashes: Readonly<Record<string, string>>;
}

const MAX_FINDINGS = 500;
const MAX_SOURCE_BYTES = 4 * 2 ** 20;

/** Scans a file, or all files of a folder. Nothing of it is executed or unpickled. Throws what the file system throws. */
export async function scanTree(path: string, limits: ScanLimits): Promise<TreeScan> {
  const files = filesOf(path);
  const findings: ScanFinding[] = [];
  let leftOut = 0;
  const report = (seen: ScanFinding): void => {
    const finding = { ...seen, file: oneLine(seen.file), says: oneLine(seen.says), ...(seen.name === undefined ? {} : { name: oneLine(seen.name) }) };
    // What is dangerous is told of, however many notes came before it.
    if (findings.length < MAX_FINDINGS || (finding.level === 'dangerous' && !findings.some(({ level }) => level === 'dangerous'))) findings.push(finding);
    else leftOut += 1;
  };
  const own = new Map<string, ReadonlySet<string>>();
  for (const { path: file, name } of files) if (name.endsWith('.py')) readSource(file, name, own, report);
  const budget = new ScanBudget(limits);
  const context: ScanContext = { budget, own, report, scan: (content) => scanContent(content, context) };
  let bytes = 0;
  for (const { path: file, name } of files) bytes += await scanFile(file, name, context);
  const suspects = new Set(findings.filter(({ level }) => level !== 'note').map(({ file }) => file.split(' » ')[0] ?? ''));
  const hashes = Object.fromEntries(files.filter(({ name }) => suspects.has(oneLine(name))).map((file) => [oneLine(file.name), hashOf(file.path)]));
  return { findings, leftOut, files: files.length, bytes, hashes };
}

/** One file of what is scanned: its absolute path, and what findings call it. */
export interface NamedFile {
  readonly path: string;
  readonly name: string;
}

/** The file, or the regular files of the folder, in order. Links are followed to files; a folder behind one is not. */
export function filesOf(path: string): readonly NamedFile[] {
  if (!statSync(path).isDirectory()) return [{ path, name: basename(path) }];
  const found: NamedFile[] = [];
  for (const { parentPath, name } of readdirSync(path, { withFileTypes: true, recursive: true })) {
    const file = join(parentPath, name);
    if (statSync(file, { throwIfNoEntry: false })?.isFile()) found.push({ path: file, name: relative(path, file).replaceAll('\\', '/') });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function scanFile(file: string, name: string, context: ScanContext): Promise<number> {
  const source = FileBytes.open(file);
  try {
    await scanContent({ source, path: name, depth: 0, isTorchScript: false }, context);
  } catch (error) {
    if (!(error instanceof ScanLimitReached)) throw error;
    // What lies behind a limit has not been seen, and no honest file reaches one.
    context.report({ level: 'dangerous', rule: 'limit', file: name, says: `cannot be scanned: ${error.message}` });
  } finally {
    source.close();
  }
  return source.sizeBytes;
}

function readSource(file: string, name: string, own: Map<string, ReadonlySet<string>>, report: (finding: ScanFinding) => void): void {
  if (statSync(file).size > MAX_SOURCE_BYTES) return report({ level: 'note', rule: 'python-source', file: name, says: 'is too long to be read as Python' });
  const { findings, classes } = readPythonSource(readFileSync(file, 'utf8'));
  own.set(name.replace(/(\/__init__)?\.py$/, '').replaceAll('/', '.'), classes);
  for (const { line, name: what, says } of findings)
    report({ level: 'note', rule: 'python-source', file: name, name: what, says: `line ${line}: ${what} ${says}` });
}

/** SHA-256, hex. */
export function hashOf(file: string): string {
  const hash = createHash('sha256');
  const source: ByteSource & { close(): void } = FileBytes.open(file);
  try {
    for (let at = 0; at < source.sizeBytes; at += 1 << 22) hash.update(source.read(at, 1 << 22));
    return hash.digest('hex');
  } finally {
    source.close();
  }
}
