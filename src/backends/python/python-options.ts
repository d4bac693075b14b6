import type { Log } from '../../observability/observer.js';
import type { SandboxPolicy } from '../sandbox-policy.js';
import type { Confinement } from './confinement.js';
import type { EnclosureOptions } from './enclosure.js';

/** What the python backend is told of its surroundings. */
export interface PythonBackendOptions {
  /** Interpreter of models with runtime `python`: a path, or a name to be found on PATH. */
  readonly interpreter: string;
  /** The project's python/ folder, which holds `ts` and `sconce_worker`; absolute. */
  readonly pythonHome: string;
  /** A folder of this server alone, mode 0700, with a short path. A parent that outlives the gateway removes it. */
  readonly runDirectory: string;
  /** What workers find in their environment, names on the blacklist already left out. */
  readonly environment: Readonly<Record<string, string>>;
  /** PYTHONPATH of the server, or ''. */
  readonly inheritedPythonPath: string;
  readonly decodeInputRequest: boolean;
  readonly limitMaxImagePixels: boolean;
  readonly ipexEnable: boolean;
  readonly ipexGpuEnable: boolean;
  /** Names of the headers that carry a sequence's id, start and end. */
  readonly sequenceHeaders: { readonly id: string; readonly start: string; readonly end: string };
  /** metrics.yaml of the workers, absolute; undefined: the two default metrics. */
  readonly metricsConfigPath: string | undefined;
  /** Import torch once in the parent, so that workers have it at once. */
  readonly warmImports: boolean;
  /** Environment variables by which a process sees only these of the server's devices. */
  readonly showDevices: (ordinals: readonly number[]) => Readonly<Record<string, string>>;
  /** Folder of the server's logs, absolute; torchrun makes one of its own in it. */
  readonly logFolder: string;
  /** Whether a client hears the traceback of what a handler raised: only where the client is the handler's author. No setting of a server turns it on. */
  readonly devTracebacks?: boolean | undefined;
  /** What bounds workers, and by what means. */
  readonly confinement: Confinement;
  /** What encloses workers; undefined: nothing does. */
  readonly sandbox?: (EnclosureOptions & { readonly policy: SandboxPolicy }) | undefined;
  readonly log: Log;
}
