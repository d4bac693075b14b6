import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { createUnpackingPool } from '../composition/intake.js';
import { createScanner, createScanningPool } from '../composition/scanning.js';
import { resolveSettings } from '../config/resolve.js';
import { ConfigInvalid } from '../errors/config.js';
import { ArchiveUnreadable } from '../errors/model.js';
import type { ScanReport } from '../inference/scan-report.js';
import { ArchiveCache } from '../models/archive-cache.js';
import type { Log } from '../observability/observer.js';
import { SILENT_LOG } from '../observability/silence.js';
import { type ModelScanner, sentence } from '../scanning/model-scanner.js';
import { hashOf } from '../scanning/scan-tree.js';
import type { ClientFlags } from './server-addresses.js';
import { manage } from './server-client.js';

/** Exit codes: nothing but notes; something that could not be judged; something dangerous. */
const EXIT_CODES = { clean: 0, unknown: 3, dangerous: 4 } as const;
const ARCHIVE = /\.(mar|war|model|tar\.gz|tgz)$/i;

const finding = z.looseObject({
  level: z.enum(['note', 'unknown', 'dangerous']),
  rule: z.string(),
  file: z.string(),
  says: z.string(),
  offset: z.number().optional(),
  opcode: z.string().optional(),
  scanner: z.string().optional(),
});
const reported = z.looseObject({
  verdict: z.enum(['clean', 'unknown', 'dangerous']),
  findings: z.array(finding),
  leftOut: z.number(),
  files: z.number(),
  bytes: z.number(),
  scanners: z.array(z.string()),
  hashes: z.record(z.string(), z.string()),
  permittedBy: z.string().optional(),
});
type Printed = Omit<ScanReport, 'contentHash' | 'rules'>;

const SILENT: Log = { ...SILENT_LOG, error: (message) => void process.stderr.write(`${message}\n`), named: () => SILENT };

/** `sconce scan`: prints what the scanners find in files, folders and archives, or what a server found in a model. Gives the exit code of the worst. */
export async function scan(paths: readonly string[], flags: ClientFlags & { model?: string }): Promise<number> {
  if (flags.model !== undefined) return scanOfServer(flags.model, flags);
  if (paths.length === 0) throw ConfigInvalid({ message: 'scan needs a file or folder, or --model NAME' });
  for (const path of paths) if (!existsSync(path)) throw ConfigInvalid({ message: `there is no ${path}` });
  const { settings } = resolveSettings({ flags: new Map(), env: process.env, cwd: process.cwd(), configFile: flags.config });
  const [scanning, unpacking] = [createScanningPool(), createUnpackingPool()];
  const scratch = mkdtempSync(join(tmpdir(), 'sconce-scan-'));
  try {
    const scanner = createScanner(settings, { env: process.env, cwd: process.cwd(), pool: scanning, log: SILENT });
    const { maxArchiveBytes, maxUnpackedBytes, maxArchiveEntries: maxEntries } = settings;
    const archives = new ArchiveCache(scratch, unpacking, { maxArchiveBytes, maxUnpackedBytes, maxEntries }, SILENT);
    let code = 0;
    const all: { path: string; report: ScanReport }[] = [];
    for (const path of paths) {
      const report = await scanOf(path, scanner, archives);
      code = Math.max(code, EXIT_CODES[report.verdict]);
      all.push({ path, report });
      if (!flags.json) print(path, report, flags.quiet === true);
    }
    if (flags.json)
      process.stdout.write(
        `${JSON.stringify(paths.length === 1 ? all[0]?.report : Object.fromEntries(all.map(({ path, report }) => [path, report])), undefined, 2)}\n`,
      );
    return code;
  } finally {
    await Promise.all([scanning.stop(), unpacking.stop()]);
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** An archive is unpacked first, as the server does: its own code tells which classes are its own. */
async function scanOf(path: string, scanner: ModelScanner, archives: ArchiveCache): Promise<ScanReport> {
  const directory = resolve(path);
  if (statSync(path).isDirectory()) return scanner.examine({ name: path, directory, contentHash: '', isArchive: false });
  if (!ARCHIVE.test(path)) return scanner.examine({ name: path, directory, contentHash: hashOf(path), isArchive: false });
  try {
    const { folder, hash } = await archives.tree(directory, path);
    return await scanner.examine({ name: path, directory: folder, contentHash: hash, isArchive: true });
  } catch (error) {
    if (!ArchiveUnreadable.is(error)) throw error;
    process.stderr.write(`${error.message}\n`);
    return scanner.examine({ name: path, directory, contentHash: hashOf(path), isArchive: false });
  }
}

async function scanOfServer(model: string, flags: ClientFlags): Promise<number> {
  const [name = '', version] = model.split('/');
  const path = `/models/${encodeURIComponent(name)}`;
  const known = version ?? (await manage(flags, 'GET', path, z.array(z.looseObject({ modelVersion: z.string() }))))[0]?.modelVersion ?? '';
  const report = await manage(flags, 'GET', `${path}/${encodeURIComponent(known)}/scan`, reported);
  if (flags.json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
  else print(model, report, flags.quiet === true);
  return EXIT_CODES[report.verdict];
}

function print(path: string, { verdict, findings, files, bytes, leftOut, scanners, hashes, permittedBy }: Printed, isQuiet: boolean): void {
  const permitted = permittedBy === undefined ? '' : `, and permitted by ${permittedBy}`;
  process.stdout.write(`${path}: ${verdict}${permitted} (${files} files, ${bytes} bytes, by ${scanners.join(', ')})\n`);
  for (const one of findings) if (!isQuiet || one.level !== 'note') process.stdout.write(`  ${one.level}: ${sentence(one)}\n`);
  if (leftOut > 0) process.stdout.write(`  and ${leftOut} more findings\n`);
  for (const [name, hash] of Object.entries(hashes)) process.stdout.write(`  sha256 of ${name}: ${hash}\n`);
}
