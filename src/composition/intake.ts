import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Settings } from '../config/settings.js';
import { AllowedUrls } from '../models/allowed-urls.js';
import { ArchiveCache } from '../models/archive-cache.js';
import { Intake } from '../models/intake.js';
import type { UnpackOutcome, UnpackTask } from '../models/unpack/unpack-thread.js';
import type { Log } from '../observability/observer.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';

/** Threads that unpack and hash archives. */
export function createUnpackingPool(): TaskPool<UnpackTask, UnpackOutcome> {
  return new TaskPool<UnpackTask, UnpackOutcome>(threadEntry('../models/unpack/unpack-thread.js', import.meta.url), 2);
}

/** What the intake is built into. */
export interface IntakeSurroundings {
  /** Folder that models are named in; absolute. */
  readonly store: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly pool: TaskPool<UnpackTask, UnpackOutcome>;
  readonly workDirectory: string;
  readonly interpreter: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly installerOutput: (model: string, line: string) => void;
  readonly log: Log;
}

/** The way of models into this process. */
export function createIntake(settings: Settings, surroundings: IntakeSurroundings): Intake {
  const { store, env, pool, workDirectory, interpreter, environment, installerOutput, log } = surroundings;
  return new Intake({
    store,
    allowedUrls: new AllowedUrls(settings.allowedUrls),
    cache: new ArchiveCache(
      join(cacheFolder(settings, env), 'archives'),
      pool,
      { maxArchiveBytes: settings.maxArchiveBytes, maxUnpackedBytes: settings.maxUnpackedBytes, maxEntries: settings.maxArchiveEntries },
      log.named('sconce.models'),
    ),
    workDirectory,
    defaultHandler: settings.defaultServiceHandler,
    envelope: settings.serviceEnvelope,
    maxArchiveBytes: settings.maxArchiveBytes,
    installDependencies: settings.installPyDepPerModel,
    interpreter,
    environment,
    installerOutput,
    log: log.named('sconce.models'),
  });
}

function cacheFolder({ cacheDir }: Settings, env: Readonly<Record<string, string | undefined>>): string {
  return resolve(cacheDir ?? join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'), 'sconce'));
}
