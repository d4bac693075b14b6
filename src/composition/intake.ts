import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Authenticity } from '../authenticity/authenticity.js';
import type { Settings } from '../config/settings.js';
import { ConfigInvalid } from '../errors/config.js';
import type { WeightOf } from '../inference/fair-share.js';
import type { InspectOutcome, InspectTask } from '../inputs/inspect-thread.js';
import { AllowedUrls } from '../models/allowed-urls.js';
import { ArchiveCache } from '../models/archive-cache.js';
import { PythonEnvironments } from '../models/environment/python-environments.js';
import { FetchHosts } from '../models/fetch/private-address.js';
import { Intake } from '../models/intake.js';
import { ModelSources } from '../models/model-sources.js';
import type { StoreRules } from '../models/store-rules.js';
import type { UnpackOutcome, UnpackTask } from '../models/unpack/unpack-thread.js';
import type { Log } from '../observability/observer.js';
import type { Protection } from '../observability/protections.js';
import type { ModelScanner } from '../scanning/model-scanner.js';
import { FairPlaces } from '../threads/fair-places.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';
import { WorkflowIntake } from '../workflows/workflow-intake.js';
import { signatureLevel } from './authenticity.js';
import { command, HOME } from './backends.js';

/** Threads that unpack and hash archives. */
export function createUnpackingPool(): TaskPool<UnpackTask, UnpackOutcome> {
  return new TaskPool<UnpackTask, UnpackOutcome>(threadEntry('../models/unpack/unpack-thread.js', import.meta.url), 2);
}

const INSPECTING_THREADS = 2;

/** Threads that inspect long requests, shared by the tenants of the models that they are for. */
export function createInspectionPool(weightOf: WeightOf): TaskPool<InspectTask, InspectOutcome> {
  const entry = threadEntry('../inputs/inspect-thread.js', import.meta.url);
  return new TaskPool<InspectTask, InspectOutcome>(entry, INSPECTING_THREADS, new FairPlaces(INSPECTING_THREADS, weightOf));
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
  readonly sources: ModelSources;
  readonly scanner: ModelScanner;
  readonly authenticity: Authenticity | undefined;
  readonly workDirectory: string;
  /** Whose archives are whose; undefined: there are no tenants. */
  readonly rules: StoreRules | undefined;
  readonly interpreter: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly installerOutput: (model: string, line: string) => void;
  /** Ends installations. */
  readonly stopping: AbortSignal;
  readonly log: Log;
}

/** The way of models into this process. */
export function createIntake(settings: Settings, surroundings: IntakeSurroundings): Intake {
  const { store, rules, env, cwd, cache, sources, scanner, authenticity, workDirectory, interpreter, environment, installerOutput, stopping, log } =
    surroundings;
  return new Intake({
    store,
    rules,
    sources,
    cache,
    scanner,
    workDirectory,
    defaultHandler: settings.defaultServiceHandler,
    envelope: settings.serviceEnvelope,
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
      mayLeadOut: (model) => (settings.grants.get(model)?.requirements ?? settings.grants.get('*')?.requirements) === 'anywhere',
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
export function createWorkflowIntake({
  store,
  rules,
  cache,
  sources,
  scanner,
  authenticity,
  workDirectory,
}: Pick<IntakeSurroundings, 'store' | 'rules' | 'cache' | 'sources' | 'scanner' | 'authenticity' | 'workDirectory'>): WorkflowIntake {
  return new WorkflowIntake({ store, rules, sources, cache, scanner, authenticity, workDirectory });
}

/** The places that models come from. Throws ConfigInvalid for patterns and hosts that are none. */
export function createSources(settings: Settings, { env, cwd, log }: Pick<IntakeSurroundings, 'env' | 'cwd' | 'log'>): ModelSources {
  let hosts: FetchHosts;
  try {
    hosts = new FetchHosts(settings.fetchHosts);
  } catch (error) {
    throw ConfigInvalid({ message: `sconce_fetch_hosts: ${error instanceof Error ? error.message : String(error)}` }, error);
  }
  return new ModelSources({
    allowedUrls: new AllowedUrls(settings.allowedUrls, areUrlsSet(settings)),
    hosts,
    roots: settings.storeRoots.map((root) => resolve(cwd, root)),
    maxArchiveBytes: settings.maxArchiveBytes,
    env,
    log: log.named('sconce.models'),
  });
}

/** What the sources hold of: told once at start. */
export function locationsProtection(settings: Settings): Protection {
  const name = 'locations';
  if (!areUrlsSet(settings)) return { name, holds: true, says: 'over the API models come from the store alone; allowed_urls permits more' };
  const isOpen = settings.allowedUrls.some((pattern) => pattern === '.*' || pattern === '.+');
  if (isOpen) return { name, holds: false, says: 'allowed_urls lets models come from every URL; name the hosts that they come from' };
  return { name, holds: true, says: `models come from the store and from ${settings.allowedUrls.join(', ')}` };
}

function areUrlsSet({ sources }: Settings): boolean {
  return sources.get('allowed_urls')?.source !== 'default';
}

/** Where what is known by content is kept from run to run. */
export function cacheFolder({ cacheDir }: Settings, env: Readonly<Record<string, string | undefined>>): string {
  return resolve(cacheDir ?? join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'), 'sconce'));
}
