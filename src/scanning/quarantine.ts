import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ScanReport } from '../inference/scan-report.js';

/** Keeps a refused archive for the operator: `{folder}/{sha256}` and its report beside it, readable by the server's user alone and with nothing in its name that a loader goes by. */
export async function keepInQuarantine(folder: string, file: string, report: ScanReport): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const kept = join(folder, report.contentHash);
  await copyFile(file, kept);
  await writeFile(`${kept}.json`, JSON.stringify(report, undefined, 2), { mode: 0o600 });
  return kept;
}
