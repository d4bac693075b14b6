import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Backend } from '../backends/backend.js';
import { JavascriptBackend } from '../backends/javascript/javascript-backend.js';
import { DEFAULT_MAX_IMAGE_PIXELS, OnnxBackend } from '../backends/onnx/onnx-backend.js';
import type { Confinement } from '../backends/python/confinement.js';
import { PythonBackend } from '../backends/python/python-backend.js';
import type { Settings } from '../config/settings.js';
import type { ServableModel } from '../inference/servable-model.js';
import type { Log } from '../observability/observer.js';
import type { Accelerators } from '../platform/accelerators.js';
import type { SequenceHeaderNames } from '../scheduling/sequence-headers.js';
import type { Sandbox } from './sandbox.js';

/** The folder of the installed package. */
export const HOME = fileURLToPath(new URL('../..', import.meta.url));
/** ONNX Runtime reports its use to its maker unless it is told not to. A server doesn't speak to anybody it wasn't asked to speak to. */
export const QUIET_LIBRARIES: Readonly<Record<string, string>> = { ORT_DISABLE_TELEMETRY: '1' };

/** What backends are built into. */
export interface Surroundings {
  readonly runDirectory: string;
  readonly interpreter: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly logFolder: string;
  readonly accelerators: Accelerators;
  readonly confinement: Confinement;
  /** undefined: models have all rights of the server. */
  readonly sandbox: Sandbox | undefined;
  /** Whether clients hear what handlers raise: only where the client is the handler's author. */
  readonly devTracebacks: boolean;
  readonly log: Log;
}

/** The kinds of backend: a new one is a line here. */
export function createBackends(
  settings: Settings,
  { runDirectory, interpreter, environment, cwd, logFolder, accelerators, confinement, sandbox, devTracebacks, log }: Surroundings,
): ReadonlyMap<ServableModel['backend'], Backend> {
  const python = new PythonBackend({
    interpreter,
    pythonHome: join(HOME, 'python'),
    runDirectory,
    environment,
    inheritedPythonPath: environment.PYTHONPATH ?? '',
    decodeInputRequest: settings.decodeInputRequest,
    limitMaxImagePixels: settings.limitMaxImagePixels,
    ipexEnable: settings.ipexEnable,
    ipexGpuEnable: settings.ipexGpuEnable,
    sequenceHeaders: sequenceHeaders(settings),
    metricsConfigPath: settings.metricsConfig === undefined ? undefined : resolve(cwd, settings.metricsConfig),
    warmImports: settings.warmPython,
    showDevices: (ordinals) => accelerators.showing(ordinals),
    logFolder,
    confinement,
    sandbox,
    devTracebacks,
    log: log.named('sconce.python'),
  });
  const javascript = new JavascriptBackend({ environment, maxHeapMb: undefined, devTracebacks, host: python });
  return new Map<ServableModel['backend'], Backend>([
    ['python', python],
    ['onnx', new OnnxBackend({ maxImagePixels: settings.limitMaxImagePixels ? DEFAULT_MAX_IMAGE_PIXELS : Number.MAX_SAFE_INTEGER, host: python })],
    ['javascript', javascript],
  ]);
}

/** Names of the headers that carry a sequence's id, start and end. */
export function sequenceHeaders({ headerKeySequenceId, headerKeySequenceStart, headerKeySequenceEnd }: Settings): SequenceHeaderNames {
  return { id: headerKeySequenceId, start: headerKeySequenceStart, end: headerKeySequenceEnd };
}

/** A program by its path, relative to the working directory, or by its name, to be found on PATH. */
export function command(program: string, cwd: string): string {
  return program.includes('/') ? resolve(cwd, program) : program;
}

/** The server's environment without what `blacklist_env_vars` names. */
export function workerEnvironment({ blacklistEnvVars }: Settings, env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const seen = Object.entries(env).flatMap(([name, value]): [string, string][] => (value === undefined || blacklistEnvVars.test(name) ? [] : [[name, value]]));
  return { ...QUIET_LIBRARIES, ...Object.fromEntries(seen) };
}
