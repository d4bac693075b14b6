// The composition root of a server: builds the parts of every room, wires them, and runs their life cycle.
import { readFileSync } from 'node:fs';
import { availableParallelism, hostname, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import { InferenceGate } from './admission/inference-gate.js';
import { KeyRotation } from './admission/key-rotation.js';
import { ManagementGate } from './admission/management-gate.js';
import { WorkflowGate } from './admission/workflow-gate.js';
import { CrashLog } from './backends/crash-log.js';
import { DeviceAllocator } from './backends/device-allocator.js';
import { GpuWatch } from './backends/gpu-watch.js';
import { configuredLimits } from './backends/python/configured-limits.js';
import { confine } from './backends/python/confinement.js';
import { WorkerIds } from './backends/worker-ids.js';
import type { ApiParts } from './composition/apis.js';
import { auditPathOf, openAudit } from './composition/audit.js';
import { createAuthenticity, createExaminingPool, signatureProtection } from './composition/authenticity.js';
import { type AuthorSession, serveForAuthor, withOneWorker } from './composition/author.js';
import { command, createBackends, HOME, sequenceHeaders, workerEnvironment } from './composition/backends.js';
import { billWriter, createDigestPool } from './composition/bill-of-materials.js';
import { createPlacement, findAccelerators, gpuFigures } from './composition/devices.js';
import { openTls, originsProtection } from './composition/doors.js';
import { entrances, inShort } from './composition/exposure.js';
import { curlTo, greet } from './composition/greeting.js';
import { createGuards } from './composition/guards.js';
import {
  createArchiveCache,
  createInspectionPool,
  createIntake,
  createSources,
  createUnpackingPool,
  createWorkflowIntake,
  locationsProtection,
} from './composition/intake.js';
import { createListeners } from './composition/listeners.js';
import { ownProcessProtection } from './composition/own-process.js';
import { assertAddresses } from './composition/public-addresses.js';
import { createAuthorSandbox, createSandbox, isolationProtection, sandboxProtection, serverFiles } from './composition/sandbox.js';
import { createScanner, createScanningPool } from './composition/scanning.js';
import { modelsToRestore, snapshotsPart } from './composition/snapshots.js';
import { shownStartupModels, startupModels } from './composition/startup-models.js';
import { storeProtection } from './composition/store-protection.js';
import { coresOf, createTenantResources, keepOff, makeTenantGroups, resourceProtections, weightsOf } from './composition/tenant-resources.js';
import { createTenancy } from './composition/tenants.js';
import { timerMs } from './composition/timer-ms.js';
import { createTokens } from './composition/tokens.js';
import type { Settings } from './config/settings.js';
import { startReport } from './config/start-report.js';
import { Lifecycle } from './lifecycle.js';
import { configuredModels } from './models/configured-models.js';
import type { LineSink } from './observability/line-writer.js';
import { LogFiles } from './observability/log-files.js';
import { Metrics } from './observability/metrics.js';
import { DEFAULT_METRICS, type MetricsConfig, parseMetricsYaml } from './observability/metrics-yaml.js';
import type { Log } from './observability/observer.js';
import { Protections } from './observability/protections.js';
import { serverLog } from './observability/server-log.js';
import { ServingObserver } from './observability/serving-observer.js';
import { SystemMetrics } from './observability/system-metrics.js';
import { createTempFolder } from './platform/temp-folder.js';
import type { ModelService } from './registry/model-service.js';
import { Registry } from './registry/registry.js';
import { SnapshotKeeper } from './snapshots/snapshot-keeper.js';
import { SnapshottingModels } from './snapshots/snapshotting-models.js';
import { TORCHSERVE_VERSION } from './version.js';
import { Workflows } from './workflows/workflows.js';

/** Workers that are told to stop while nothing runs on them end at once; this is for those that hang. */
const WORKER_GRACE_MS = 2000;
/** For answers that are ready when the drain time ends to reach their clients. */
const LAST_WORDS_MS = 500;
const STDOUT: LineSink = { write: (text) => void process.stdout.write(text) };
/** Python tells a changed file by its second and size: an author is faster. */
const AUTHOR_ENVIRONMENT: Readonly<Record<string, string>> = { PYTHONDONTWRITEBYTECODE: '1' };
const DEBUG_TIMEOUT_S = 2_147_483_647;

/** What the server is started with beside its settings. */
export interface ServerOptions {
  readonly warnings: readonly string[];
  /** Folder of the key file, the logs and relative paths. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Prints a line on standard output. */
  readonly print: (line: string) => void;
  /** Aborted when the server is to stop as soon as it has started: installations for start-up models end then. */
  readonly stopping?: AbortSignal;
  /** Where the log's lines go beside the files; standard output unless given. */
  readonly console?: LineSink | undefined;
  /** Where snapshots are written; absolute. None are unless given. */
  readonly snapshotFolder?: string | undefined;
  /** One model, served for its author: `sconce dev`, and no other server. */
  readonly author?: AuthorSession | undefined;
}

/** A running server. */
export interface RunningServer {
  /** Answers what was accepted, within the drain time, then stops everything. Never rejects. */
  stop(): Promise<void>;
}

/** Builds and starts a server. Resolves when all listeners are open. Rejects with ConfigInvalid, SnapshotInvalid, BindFailed, ProtectionMissing, KeyFileNotWritten, TokensFileUnusable or AuditLogUnusable, with nothing left running or lying about. */
export async function startServer(settings: Settings, options: ServerOptions): Promise<RunningServer> {
  const { cwd, env } = options;
  const logFolder = resolve(cwd, env.LOG_LOCATION ?? 'logs');
  const metricsFolder = resolve(cwd, env.METRICS_LOCATION ?? 'logs');
  const files = new LogFiles({ logFolder, metricsFolder, json: settings.logJson, console: options.console ?? STDOUT });
  const log = serverLog(files, 'sconce');
  const life = new Lifecycle(log);
  try {
    return await assemble(settings, options, { files, log, life, logFolder, metricsFolder });
  } catch (error) {
    await life.stop();
    await files.close();
    throw error;
  }
}

/** What is there before anything else. */
interface Foundation {
  readonly files: LogFiles;
  readonly log: Log;
  readonly life: Lifecycle;
  readonly logFolder: string;
  readonly metricsFolder: string;
}

/** Builds the parts in the order of the request's way backwards, so that each finds what it stands on, and starts them. */
async function assemble(settings: Settings, options: ServerOptions, { files, log, life, logFolder, metricsFolder }: Foundation): Promise<RunningServer> {
  const { cwd, env, print, author, snapshotFolder } = options;
  for (const warning of options.warnings) log.warn(warning);
  const protections = new Protections(settings.security, log.named('sconce.security'));
  const publicHosts = await assertAddresses(settings, protections);
  const store = folderOf(settings.modelStore, cwd);
  const runFolder = await createTempFolder('sconce-', env.TEMP || tmpdir());
  life.add({ name: 'run folder', start: async () => {}, stop: () => runFolder.remove() });
  const pool = createUnpackingPool();
  life.add({ name: 'unpacking threads', start: async () => {}, stop: () => pool.stop() });
  const digesting = createDigestPool();
  life.add({ name: 'digesting threads', start: async () => {}, stop: () => digesting.stop() });
  const examining = createExaminingPool();
  life.add({ name: 'examining threads', start: async () => {}, stop: () => examining.stop() });

  const metrics = new Metrics({
    mode: settings.metricsMode,
    config: metricsConfig(settings, log),
    autoDetect: settings.modelMetricsAutoDetect,
    hostname: hostname(),
    files,
    log: log.named('sconce.metrics'),
  });
  const workflowStore = folderOf(settings.workflowStore, cwd);
  const tenancy = author === undefined ? createTenancy(settings, { cwd, metrics, modelStore: store, workflowStore }) : undefined;
  if (tenancy !== undefined) protections.tell(tenancy.protection);
  const storeOf = (model: string): string | undefined => tenancy?.stores.storeOf(model) ?? store;
  const restored = author === undefined ? modelsToRestore(settings, storeOf) : undefined;
  if (tenancy !== undefined) files.keepApart(tenancy.others);
  const tenants = tenancy?.tenants;
  const weightOf = weightsOf(tenants);
  const inspections = createInspectionPool(weightOf);
  life.add({ name: 'inspecting threads', start: async () => {}, stop: () => inspections.stop() });
  const observer = new ServingObserver(metrics, files, tenancy?.tellerOf);
  const accelerators = findAccelerators(settings, env);
  const gpus = accelerators.count;
  const gpuWatch = new GpuWatch(accelerators);
  const interpreter = command(settings.python ?? 'python3', cwd);
  const environment = { ...workerEnvironment(settings, env), ...(author === undefined ? {} : AUTHOR_ENVIRONMENT) };
  const around = { interpreter, environment, cwd, log };
  const split = coresOf(tenants);
  const leaks = split === undefined ? undefined : await keepOff(split, around);
  const confined = await confine(configuredLimits(settings), settings.controlGroups, log.named('sconce.python'), split !== undefined);
  life.add({ name: 'control groups', start: async () => {}, stop: async () => confined.groups?.remove() });
  const tenantGroups = tenants === undefined ? undefined : await makeTenantGroups(confined.groups, tenants, split);
  const confinement = { ...confined, tenants: tenantGroups?.made };
  if (tenants !== undefined && tenantGroups !== undefined)
    for (const protection of resourceProtections(tenants, { groups: tenantGroups, split, leaks, gpuCount: gpus })) protections.tell(protection);
  const tenantStores = tenancy?.storeFolders ?? [];
  const ownFiles = serverFiles(settings, cwd, [logFolder, metricsFolder, ...tenantStores]);
  const sandbox = author === undefined ? createSandbox(settings, ownFiles, (gpu) => accelerators.nameOf(gpu)) : createAuthorSandbox(settings, ownFiles);
  const place = { interpreter, environment, pythonHome: join(HOME, 'python'), runDirectory: runFolder.path };
  const [ownProcess, enclosing] = await Promise.all([
    author === undefined ? ownProcessProtection(place) : undefined,
    sandbox === undefined ? undefined : sandboxProtection(sandbox, settings.sandbox, place),
  ]);
  for (const protection of [ownProcess, enclosing]) if (protection !== undefined) protections.tell(protection);
  if (sandbox !== undefined) protections.tell(isolationProtection(settings));
  const server = { runDirectory: runFolder.path, logFolder, accelerators, confinement, sandbox, devTracebacks: author !== undefined };
  const backends = createBackends(settings, { ...around, ...server });
  for (const backend of backends.values()) life.add({ name: `${backend.name} backend`, start: async () => {}, stop: () => backend.stop() });

  const stopping = new AbortController();
  const endInstalling = () => stopping.abort('the server is stopping');
  options.stopping?.addEventListener('abort', endInstalling, { once: true });
  if (options.stopping?.aborted) endInstalling();
  const cache = createArchiveCache(settings, { env, pool, log });
  const sources = createSources(settings, { env, cwd, log });
  protections.tell(locationsProtection(settings));
  const ofOwner = author === undefined ? [storeProtection(settings, cwd, tenantStores), originsProtection(settings)] : [];
  for (const told of ofOwner) if (told !== undefined) protections.tell(told);
  const scanning = createScanningPool();
  life.add({ name: 'scanning threads', start: async () => {}, stop: () => scanning.stop() });
  const scanner = createScanner(settings, { env, cwd, pool: scanning, log });
  protections.tell(await scanner.protection());
  protections.tell(signatureProtection(settings));
  const authenticity = createAuthenticity(settings, { cwd, pool: examining, log });
  const places = { cache, sources, scanner, authenticity, workDirectory: runFolder.path, rules: tenancy?.stores };
  const intake = createIntake(settings, {
    ...around,
    ...places,
    store,
    env,
    installerOutput: (model, line) => files.model('INFO', `install-${model}`, line, tenancy?.tenants.ownerOf(model).name),
    stopping: stopping.signal,
  });
  const cpus = availableParallelism();
  const defaultWorkers = settings.debug ? 1 : settings.defaultWorkersPerModel || gpus || cpus;
  const crashes = new CrashLog();
  const placement = createPlacement(settings, log);
  const guards = createGuards(
    (request, answer) => registry.judge(request, answer),
    (model, guard) => tenancy?.tenants.mayUse(model, guard) ?? true,
    tenancy?.askerOf,
  );
  const registry = new Registry({
    intake: author === undefined ? intake : withOneWorker(intake),
    serving: {
      backends,
      workerIds: new WorkerIds(settings.initialWorkerPort, settings.initialDistributionPort),
      devices: new DeviceAllocator(gpus),
      gpus: gpuWatch,
      placement,
      resources: tenants === undefined ? undefined : createTenantResources(settings, tenants, { gpuCount: gpus, split, placement, weightOf }),
      weightOf,
      crashes,
      observer,
      log: log.named('sconce.workers'),
      maxResponseBytes: settings.maxResponseBytes,
      unregisterTimeoutMs: timerMs(settings.unregisterModelTimeoutS),
      sequenceHeaders: sequenceHeaders(settings),
      inspections: { pool: inspections, guards },
    },
    defaults: {
      responseTimeoutS: settings.debug ? DEBUG_TIMEOUT_S : settings.defaultResponseTimeoutS,
      startupTimeoutS: settings.debug ? DEBUG_TIMEOUT_S : settings.defaultStartupTimeoutS,
      queueSize: settings.jobQueueSize,
      startupWorkers: defaultWorkers,
      registerWorkers: settings.defaultWorkersPerModel,
    },
    configured: configuredModels(settings.models),
    accounts: tenancy?.accounts,
    log: log.named('sconce.registry'),
  });
  life.add({ name: 'models', start: async () => {}, stop: () => registry.stop(AbortSignal.abort(), 0) });

  const workflows = new Workflows({
    intake: createWorkflowIntake({ ...places, store: workflowStore ?? store }),
    models: intake,
    registry,
    observer,
    log: log.named('sconce.workflows'),
    maxResponseBytes: settings.maxResponseBytes,
    unregisterTimeoutMs: timerMs(settings.unregisterModelTimeoutS),
  });

  const auditing = openAudit(author === undefined ? auditPathOf(settings, { cwd, logFolder }) : undefined, log.named('sconce.audit'));
  const { audit } = auditing;
  life.add({ name: 'audit', start: async () => {}, stop: async () => auditing.close() });
  const letIn = createTokens(settings, {
    cwd,
    keyFile: join(cwd, 'key_file.json'),
    log: log.named('sconce.tokens'),
    observer,
    audit,
    confined: tenancy?.tenants.confined,
  });
  const tokens = letIn.gate;
  life.add({ name: 'tokens', start: async () => {}, stop: async () => letIn.stop() });
  for (const protection of letIn.protections) protections.tell(protection);
  if (author === undefined) protections.tell(auditing.protection);
  const authored = author === undefined ? undefined : serveForAuthor(author, { registry, maxWaiting: settings.jobQueueSize, log: log.named('sconce.dev') });
  const keeper =
    snapshotFolder === undefined
      ? undefined
      : new SnapshotKeeper({ folder: snapshotFolder, settings, storeOf, models: registry, log: log.named('sconce.snapshots') });
  const models: ModelService = authored?.models ?? (keeper === undefined ? registry : new SnapshottingModels(registry, keeper));
  const inferenceGate = new InferenceGate(models, tenancy?.quotas);
  const managementGate = new ManagementGate(models, { enableModelApi: settings.enableModelApi, audit });
  let isDraining = false;
  const apis: ApiParts = {
    inference: inferenceGate,
    management: managementGate,
    workflows: new WorkflowGate(workflows, { audit, quotas: tenancy?.quotas }),
    keys: tokens.disabled ? undefined : new KeyRotation((type) => tokens.rotate(type), audit),
    observer,
    log: log.named('sconce.api'),
    isDraining: () => isDraining,
    refreshMemory: () => registry.refreshMemory(),
    renderMetrics: (only, shown) => {
      if (settings.metricsMode === 'prometheus') tenancy?.tellFigures();
      return metrics.render(only, tenancy === undefined || shown === undefined ? shown : tenancy.shown(shown));
    },
    metricsCaughtUp: () => observer.caughtUp(),
    billOfMaterials: billWriter(digesting, settings.maxArchiveEntries),
  };
  const tls = await openTls(settings, { metrics, protections, log: log.named('sconce.listener') });
  if (tls !== undefined) life.add(tls);
  const listeners = createListeners(settings, { apis, tokens, tls, publicHosts, log: log.named('sconce.listener') });

  const facts = {
    version: TORCHSERVE_VERSION,
    home: HOME,
    currentDirectory: cwd,
    tempDirectory: env.TEMP || tmpdir(),
    gpus,
    cpus,
    python: interpreter,
    initialModels: shownStartupModels(settings),
  };
  files.report('sconce', startReport(settings, { ...facts, heapMib: Math.round(totalmem() / 2 ** 20), logFolder, metricsFolder, defaultWorkers }));
  tokens.start();
  if (author === undefined) for (const line of inShort(entrances(settings, apis))) log.named('sconce.exposure').info(line);
  if (restored === undefined) await registry.loadAtStartup(startupModels(settings, store), stopping.signal);
  else {
    log.info(`Restoring models from the snapshot in ${settings.configFile}`);
    if (restored.length === 0) log.warn('Model snapshot is empty. Starting without initial models.');
    const left = await registry.restore(restored, stopping.signal);
    keeper?.carry(left);
  }
  for (const listener of listeners) life.add(listener);
  if (keeper !== undefined) life.add(snapshotsPart(keeper));
  if (authored !== undefined) life.add(authored.part);
  if (!settings.disableSystemMetrics) life.add(new SystemMetrics(metrics, timerMs(settings.metricTimeIntervalS), () => gpuFigures(gpuWatch)));
  await life.start();
  files.flush();
  const { curl, address } = curlTo(settings, listeners[0]?.port);
  if (author !== undefined) author.greet(curl, address);
  else {
    print('Model server started.');
    greet(tokens, { curl, address }, print);
  }

  const stop = async (): Promise<void> => {
    isDraining = true;
    endInstalling();
    void keeper?.save('shutdown');
    log.info('Stopping: accepted requests are answered, new ones refused.');
    const deadline = AbortSignal.timeout(Math.max(1, settings.drainTimeoutS * 1000));
    const lastWords = AbortSignal.timeout(settings.drainTimeoutS * 1000 + LAST_WORDS_MS);
    await authored?.models.stop();
    // A request in a workflow still needs the nodes that come after the one that it is at.
    const stopModels = workflows.stop(deadline).then(() => registry.stop(deadline, WORKER_GRACE_MS));
    await Promise.all([stopModels, ...listeners.map((listener) => listener.drain(lastWords))]);
    await life.stop();
    log.info('Torchserve stopped.');
    await files.close();
  };
  return { stop };
}

function metricsConfig({ metricsConfig: file }: Settings, log: Log): MetricsConfig {
  if (file === undefined) return DEFAULT_METRICS;
  try {
    return parseMetricsYaml(readFileSync(file, 'utf8'));
  } catch (error) {
    log.error('Failed to load metrics configuration; the server runs without metrics', error);
    return { server: [], model: [] };
  }
}

function folderOf(folder: string | undefined, cwd: string): string | undefined {
  return folder === undefined ? undefined : resolve(cwd, folder);
}
