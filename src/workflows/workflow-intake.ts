import { existsSync, statSync } from 'node:fs';
import { readFile, rm, stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';
import type { Authenticity } from '../authenticity/authenticity.js';
import { ArchiveExists, ArchiveUnreadable, LocationRefused } from '../errors/model.js';
import { SconceError } from '../errors/sconce-error.js';
import { WorkflowArchiveExists, WorkflowInvalid, WorkflowLocationRefused } from '../errors/workflow.js';
import type { ServableModel } from '../inference/servable-model.js';
import { AllowedUrls } from '../models/allowed-urls.js';
import type { ArchiveCache } from '../models/archive-cache.js';
import { checkLocation, locate } from '../models/location.js';
import { noModelConfig } from '../models/model-config.js';
import type { ModelSources } from '../models/model-sources.js';
import { ONE_STORE, type StoreRules } from '../models/store-rules.js';
import { copyTree, workingFolder } from '../models/working-copy.js';
import type { ModelScanner } from '../scanning/model-scanner.js';
import { parseWorkflowManifest } from './workflow-manifest.js';
import { parseWorkflowSpec, type WorkflowSpec } from './workflow-spec.js';

export interface WorkflowIntakeOptions {
  /** Folder of the workflow archives; absolute. */
  readonly store: string | undefined;
  /** One store for all unless given. */
  readonly rules?: StoreRules | undefined;
  readonly sources: ModelSources;
  readonly cache: ArchiveCache;
  readonly scanner: Pick<ModelScanner, 'check'>;
  /** Folder of this server run; working copies lie in it. */
  readonly workDirectory: string;
  /** undefined: signatures are not looked at. */
  readonly authenticity: Authenticity | undefined;
}

/** An archive, unpacked and read. Nothing of it has been executed. */
export interface AdmittedWorkflow {
  /** As the manifest says. */
  readonly name: string;
  /** The location as it was registered. */
  readonly url: string;
  readonly spec: WorkflowSpec;
  /** File of the functions, a path inside the archive. */
  readonly handler: string | undefined;
  /** The unpacked archive in the cache: read-only. */
  readonly folder: string;
  readonly contentHash: string;
  /** Archive copied into the store by registration from a URL: deleted with the workflow. */
  readonly downloadedArchive: string | undefined;
}

/** Workflows have no versions; a signature names this one. */
const WORKFLOW_VERSION = '1.0';
/** Bounds the time that reading them takes on the event loop. */
const MAX_DESCRIPTION_BYTES = 2 ** 16;

/** The way of a workflow archive into the server: location → fetch → unpack → signatures → manifest → specification → scan. One that fails leaves nothing behind. */
export class WorkflowIntake {
  constructor(private readonly options: WorkflowIntakeOptions) {}

  /** `name` is the one that the registration gives, if it does. Rejects with the errors of src/errors/workflow.ts and src/errors/scanning.ts, or DownloadFailed. */
  async admit(url: string, name?: string): Promise<AdmittedWorkflow> {
    const { rules = ONE_STORE } = this.options;
    const store = worded(() => checkLocation(url, rules.storeOf(name) ?? this.options.store));
    const assertFits = (archive: string): void => {
      if (name && !rules.fits(name, archive)) throw notInStore(url);
    };
    const downloaded = AllowedUrls.looksLikeUrl(url) ? await this.#download(url, store, assertFits) : undefined;
    try {
      const { authenticity, cache } = this.options;
      if (downloaded === undefined) assertFits(basename(url));
      const file = locateArchive(downloaded ?? url, url, store);
      const { folder, hash, seal } = await cache.tree(file, url);
      const examined = await authenticity?.examine({ kind: 'archive', folder, archive: { sha256: hash, seal }, beside: `${file}.sig` });
      const { workflowName, specFile, handler } = parseWorkflowManifest(await readDescription(folder, 'WAR-INF/MANIFEST.json', 'The archive has no'));
      if (downloaded === undefined) assertFits(workflowName);
      if (!name && (rules.storeOf(workflowName) ?? store) !== store)
        throw WorkflowLocationRefused({ message: `Workflow ${workflowName} comes from the store of its tenant: give workflow_name with its location.` });
      const served = name || workflowName;
      if (examined !== undefined) authenticity?.judge(examined, { name: served, version: WORKFLOW_VERSION, url });
      const spec = parseWorkflowSpec(await readDescription(folder, specFile, 'The manifest names a specFile that the archive does not have:'));
      assertFunctionsHaveFile(spec, folder, handler);
      const downloadedArchive = downloaded === undefined ? undefined : join(store, downloaded);
      await this.options.scanner.check({ name: served, directory: folder, contentHash: hash, isArchive: true, downloaded: downloadedArchive });
      return { name: workflowName, url, spec, handler, folder, contentHash: hash, downloadedArchive };
    } catch (error) {
      if (downloaded !== undefined) await rm(join(store, downloaded), { force: true });
      if (error instanceof SconceError && !ArchiveUnreadable.is(error)) throw error;
      const why = error instanceof Error ? error.message : String(error);
      throw WorkflowInvalid({ message: `The workflow archive cannot be read: ${why}` }, error);
    }
  }

  /** Makes a function of the workflow into a model, in a working copy of its own: a handler may write into its folder. `name` is the model's. */
  async functionModel(workflow: AdmittedWorkflow, functionName: string, name: string): Promise<ServableModel> {
    const directory = await workingFolder(this.options.workDirectory);
    try {
      await copyTree(workflow.folder, directory);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
    return {
      name,
      version: '1.0',
      url: undefined,
      runtime: 'python',
      backend: 'python',
      directory,
      linkParent: undefined,
      handler: `${workflow.handler}:${functionName}`,
      envelope: undefined,
      serializedFile: undefined,
      requirementsFile: undefined,
      config: noModelConfig(),
      contentHash: workflow.contentHash,
      downloadedArchive: undefined,
    };
  }

  /** Deletes what registration from a URL put into the store. Never rejects. */
  async release({ downloadedArchive }: AdmittedWorkflow): Promise<void> {
    if (downloadedArchive !== undefined) await rm(downloadedArchive, { force: true }).catch(() => undefined);
  }

  /** `assertFits` throws for a name in the store that the archive may not take: whoever it belongs to would find it there. */
  async #download(url: string, store: string, assertFits: (archive: string) => void): Promise<string> {
    try {
      return await this.options.sources.bring({ url, store, namedBy: 'api', appears: async (archive) => assertFits(archive) });
    } catch (error) {
      if (ArchiveExists.is(error)) throw WorkflowArchiveExists({ file: basename(new URL(url).pathname) }, error);
      return worded(() => {
        throw error;
      });
    }
  }
}

/** The checks of a model's location, in the words for a workflow's. */
function worded<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!LocationRefused.is(error)) throw error;
    throw WorkflowLocationRefused({ message: error.message.replace(/^Model store/, 'Workflow store') }, error);
  }
}

/** A file of the store, as a model's archive is found. Throws WorkflowLocationRefused. */
function locateArchive(name: string, url: string, store: string): string {
  try {
    const { kind, path } = locate(name, store);
    if (kind !== 'folder') return path;
  } catch (error) {
    throw LocationRefused.is(error) ? notInStore(url, error) : error;
  }
  throw notInStore(url);
}

function notInStore(url: string, cause?: unknown): Error {
  return WorkflowLocationRefused({ message: `Workflow not found in workflow store: ${url}` }, cause);
}

/** Throws WorkflowInvalid for a file that the archive doesn't have or that is longer than any description; `missing` words the first. */
async function readDescription(folder: string, name: string, missing: string): Promise<string> {
  const path = inside(folder, name);
  if (path === undefined) throw WorkflowInvalid({ message: `${missing} ${name}.` });
  if ((await stat(path)).size > MAX_DESCRIPTION_BYTES) throw WorkflowInvalid({ message: `${name} is longer than ${MAX_DESCRIPTION_BYTES} bytes.` });
  return readFile(path, 'utf8');
}

function assertFunctionsHaveFile({ nodes }: WorkflowSpec, folder: string, handler: string | undefined): void {
  const functions = [...nodes.values()].filter(({ url }) => url === undefined).map(({ name }) => name);
  if (functions.length === 0) return;
  if (handler === undefined)
    throw WorkflowInvalid({
      message: `dag names ${functions.join(', ')}: no models of the specification, and the archive has no handler file with functions.`,
    });
  // A colon would end the file's name where the handler is read.
  if (!/^[^:]+\.py$/.test(handler) || inside(folder, handler) === undefined)
    throw WorkflowInvalid({ message: `The manifest names ${handler} as its handler, which is no Python file of the archive.` });
}

/** The path of a file of the archive; undefined when there is none, or it lies elsewhere. */
function inside(folder: string, name: string): string | undefined {
  const path = resolve(folder, name);
  return path.startsWith(folder + sep) && existsSync(path) && statSync(path).isFile() ? path : undefined;
}
