import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Authenticity } from '../authenticity/authenticity.js';
import type { Settings } from '../config/settings.js';
import { AllowedUrls } from '../models/allowed-urls.js';
import { ArchiveCache } from '../models/archive-cache.js';
import { PythonEnvironments } from '../models/environment/python-environments.js';
import { Intake } from '../models/intake.js';
import type { UnpackOutcome, UnpackTask } from '../models/unpack/unpack-thread.js';
import type { Log } from '../observability/observer.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';
import { WorkflowIntake } from '../workflows/workflow-intake.js';
import { signatureLevel } from './authenticity.js';
import { command, HOME } from './backends.js';

/** Threads that unpack and hash archives. */
export function createUnpackingPool(): TaskPool<UnpackTask, UnpackOutcome> {
  return new TaskPool<UnpackTask, UnpackOutcome>(threadEntry('../models/unpack/unpack-thread.js', import.meta.url), 2);
}

/** Unpacked archives on disk, kept from run to run. */
export function createArchiveCache(
  settings: Settings,
  { env, pool, log }: { readonly pool: TaskPool<UnpackTask, UnpackOutcome> } & Pick<IntakeSurroundings, 'env' | 'log'>,
): ArchiveCache {
  const { maxArchiveBytes, maxUnpackedBytes, maxArchiveEntries: maxEntries } = settings;
  const limits = { maxArchiveBytes, maxUnpackedBytes, maxEntries };
  // A tree that was unpacked while nobody asked for signatures is no evidence.
  const [folder, keeps] = signatureLevel(settings) === 'off' ? (['archives', 'tree'] as const) : (['examined-archives', 'evidence'] as const);
  return new ArchiveCache(join(cacheFolder(settings, env), folder), pool, limits, log.named('sconce.models'), keeps);
}

/** What the intake is built into. */
export interface IntakeSurroundings {
  /** Folder that models are named in; absolute. */
  readonly store: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly cache: ArchiveCache;
  readonly authenticity: Authenticity | undefined;
  readonly workDirectory: string;
  readonly interpreter: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly installerOutput: (model: string, line: string) => void;
  /** Ends installations. */
  readonly stopping: AbortSignal;
  readonly log: Log;
}

/** The way of models into this process. */
export function createIntake(settings: Settings, surroundings: IntakeSurroundings): Intake {
  const { store, env, cwd, cache, authenticity, workDirectory, interpreter, environment, installerOutput, stopping, log } = surroundings;
  return new Intake({
    store,
    allowedUrls: new AllowedUrls(settings.allowedUrls),
    cache,
    workDirectory,
    defaultHandler: settings.defaultServiceHandler,
    envelope: settings.serviceEnvelope,
    maxArchiveBytes: settings.maxArchiveBytes,
    maxArchiveEntries: settings.maxArchiveEntries,
    authenticity,
    environments: new PythonEnvironments({
      cacheFolder: join(cacheFolder(settings, env), 'environments'),
      workDirectory,
      script: join(HOME, 'python', 'sconce_worker', 'build_environment.py'),
      interpreter,
      named: new Map([...settings.pythons].map(([name, path]) => [name, command(path, cwd)])),
      environment,
      install: settings.installPyDepPerModel,
      wheelFolder: settings.wheelFolder === undefined ? undefined : resolve(cwd, settings.wheelFolder),
      timeoutMs: settings.installTimeoutS * 1000,
      output: installerOutput,
      stopping,
      log: log.named('sconce.models'),
    }),
    log: log.named('sconce.models'),
  });
}

/** The way of workflows into this process; `store` is the workflow store. */
export function createWorkflowIntake(
  settings: Settings,
  { store, cache, authenticity, workDirectory }: Pick<IntakeSurroundings, 'store' | 'cache' | 'authenticity' | 'workDirectory'>,
): WorkflowIntake {
  const { allowedUrls, maxArchiveBytes } = settings;
  return new WorkflowIntake({ store, allowedUrls: new AllowedUrls(allowedUrls), cache, authenticity, workDirectory, maxArchiveBytes });
}

function cacheFolder({ cacheDir }: Settings, env: Readonly<Record<string, string | undefined>>): string {
  return resolve(cacheDir ?? join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'), 'sconce'));
}
