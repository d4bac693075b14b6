import { join, resolve } from 'node:path';
import type { Settings } from '../config/settings.js';
import type { Log } from '../observability/observer.js';
import { Clamd, clamdAddress } from '../scanning/external/clamd.js';
import { parseScanners } from '../scanning/external/command-scanner.js';
import type { ExternalScanner } from '../scanning/external/external-scanner.js';
import { VirusTotal } from '../scanning/external/virustotal.js';
import { ModelScanner } from '../scanning/model-scanner.js';
import { RULES_VERSION } from '../scanning/rules-version.js';
import type { ScanOutcome, ScanTask } from '../scanning/scan-thread.js';
import { VerdictCache } from '../scanning/verdict-cache.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';
import { cacheFolder } from './intake.js';

export type ScanningPool = TaskPool<ScanTask, ScanOutcome>;

/** Threads that scan models. */
export function createScanningPool(): ScanningPool {
  return new TaskPool<ScanTask, ScanOutcome>(threadEntry('../scanning/scan-thread.js', import.meta.url), 2);
}

/** The scanners that the settings name. Throws ConfigInvalid. */
export function createScanner(
  settings: Settings,
  { env, cwd, pool, log }: { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string; readonly pool: ScanningPool; readonly log: Log },
): ModelScanner {
  const { scan: level, scanPermit: permits, clamd, virustotalKey: key, virustotalUrl: url, scanners, quarantineDir } = settings;
  const external: ExternalScanner[] = [
    ...(clamd === undefined ? [] : [new Clamd(clamdAddress(clamd))]),
    ...(key === undefined ? [] : [new VirusTotal({ key, url })]),
    ...parseScanners(scanners),
  ];
  return new ModelScanner({
    level,
    permits,
    pool,
    cache: new VerdictCache(join(cacheFolder(settings, env), 'scans'), RULES_VERSION),
    external,
    quarantine: quarantineDir === undefined ? undefined : resolve(cwd, quarantineDir),
    log: log.named('sconce.scanning'),
  });
}
