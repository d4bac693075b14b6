import { existsSync, readFileSync, statSync } from 'node:fs';
import { parseProperties } from '../config/properties.js';
import { findConfigFile } from '../config/resolve.js';
import { snapshotFolder } from '../config/snapshot-files.js';
import { SconceError } from '../errors/sconce-error.js';
import type { TorchServeArguments } from './torchserve-arguments.js';

type Env = Readonly<Record<string, string | undefined>>;

/** What the launcher has to say before it starts a server. */
export interface LaunchCheck {
  /** In order: what is accepted but not used. */
  readonly notes: readonly string[];
  /** The line of the first check that failed; undefined: the server may be started. */
  readonly refusal: string | undefined;
}

/** The config file that the launcher looks into. An empty TS_CONFIG_FILE counts as unset. */
export function namedConfig(wish: Pick<TorchServeArguments, 'tsConfig'>, env: Env): string | undefined {
  return env.TS_CONFIG_FILE || wish.tsConfig;
}

/** The launcher's own checks, in TorchServe's order and words. Relative paths are those of the working directory. */
export function checkLaunch(wish: TorchServeArguments, env: Env): LaunchCheck {
  const notes: string[] = [];
  const refused = (refusal: string): LaunchCheck => ({ notes, refusal });
  if (wish.logConfig !== undefined) {
    if (!isFile(wish.logConfig)) return refused(`--log-config file not found: ${wish.logConfig}`);
    notes.push(`--log-config is not used: log files are fixed (${wish.logConfig}).`);
  }
  if (env.TEMP && !isFolder(env.TEMP)) return refused(`Invalid temp directory: ${env.TEMP}, please check TEMP environment variable.`);
  const named = namedConfig(wish, env);
  if (named !== undefined && !isFile(named)) return refused(`--ts-config file not found: ${named}`);
  let configured: ReadonlyMap<string, string>;
  try {
    // TorchServe's launcher looks into the named file only; the server reads another one then, so its store counts.
    const cwd = process.cwd();
    const snapshots = wish.noConfigSnapshots ? undefined : snapshotFolder(env, cwd);
    const { file } = findConfigFile({ env, cwd, configFile: wish.tsConfig, snapshotFolder: snapshots });
    configured = file !== undefined && isFile(file) ? readConfig(file) : new Map();
  } catch (error) {
    if (error instanceof SconceError) return refused(error.message);
    throw error;
  }
  const vmargs = configured.get('vmargs');
  if (vmargs) notes.push(`Warning: TorchServe is using non-default JVM parameters: ${vmargs} (there is no Java machine here: they are ignored)`);
  if (wish.pluginsPath !== undefined) notes.push('--plugins-path is not used: Java plug-ins cannot be loaded.');
  const store = wish.modelStore || configured.get('model_store');
  if (!store) return refused('Missing mandatory parameter --model-store');
  // $$NAME$$ is resolved by the server, which knows what the environment may override.
  if (!store.includes('$$') && !isFolder(store)) return refused(`--model-store directory not found: ${store}`);
  if (wish.workflowStore && !isFolder(wish.workflowStore)) return refused(`--workflow-store directory not found: ${wish.workflowStore}`);
  if (wish.cppLogConfig && !isFile(wish.cppLogConfig)) return refused(`--cpp-log-config file not found: ${wish.cppLogConfig}`);
  return { notes, refusal: undefined };
}

function readConfig(file: string): ReadonlyMap<string, string> {
  return new Map(parseProperties(readFileSync(file, 'latin1'), file).map(({ key, value }) => [key, value]));
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function isFolder(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}
