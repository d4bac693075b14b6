import { Unpackable, UnpackBudget, type UnpackLimits } from '../models/unpack/unpack-limits.js';
import type { Finding } from './finding.js';
import type { SourceFile } from './source-tree.js';

/** Puts the archive's entries through the server's own checks of an archive: names, their number and what they unpack to. */
export function limitFindings(files: Iterable<SourceFile>, limits: UnpackLimits): readonly Finding[] {
  const findings: Finding[] = [];
  const budget = new UnpackBudget(limits, Number.MAX_SAFE_INTEGER);
  let isOver = false;
  for (const { name, sizeBytes } of files) {
    try {
      budget.path(name, false);
    } catch (error) {
      if (!(error instanceof Unpackable)) throw error;
      if (/entries$/.test(error.message)) return [...findings, tooMuch(error, 'sconce_max_archive_entries')];
      findings.push({ code: 'name-refused', message: `the server would refuse the archive for its names (${error.message}): rename one` });
    }
    try {
      if (!isOver) budget.bytes(sizeBytes);
    } catch (error) {
      if (!(error instanceof Unpackable)) throw error;
      isOver = true;
      findings.push(tooMuch(error, 'sconce_max_unpacked_bytes'));
    }
  }
  return findings;
}

/** What is said of a written archive. */
export function archiveSizeFindings(sizeBytes: number, { maxArchiveBytes }: UnpackLimits): readonly Finding[] {
  if (sizeBytes <= maxArchiveBytes) return [];
  return [
    {
      code: 'limit',
      message: `the server would refuse the archive: it has ${sizeBytes} bytes, ${maxArchiveBytes} are allowed: raise sconce_max_archive_bytes there`,
    },
  ];
}

function tooMuch(error: Unpackable, key: string): Finding {
  return { code: 'limit', message: `the server would refuse the archive: ${error.message}: leave files out, or raise ${key} there` };
}
