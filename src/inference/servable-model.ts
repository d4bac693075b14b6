import type { InputRules } from './input-rules.js';
import type { ModelConfig } from './model-config.js';
import type { ModelSignature } from './model-signature.js';
import type { ScanReport } from './scan-report.js';
import type { Tenant } from './tenant.js';

/** What a model's Python workers run in, where that isn't the server's interpreter as it is. */
export interface ModelPython {
  /** A path, or a name to be found on PATH. */
  readonly interpreter: string;
  /** Folder of packages installed for the model: comes right behind the model's directory on its module path. */
  readonly packages: string | undefined;
  /** Starts its workers' parent, where the code of its virtual environment is for sandboxes alone: the interpreter that made it. Otherwise undefined. */
  readonly startedBy?: string | undefined;
}

/** What the intake makes of an archive: unpacked, checked and described. Nothing of the archive has been executed. */
export interface ServableModel {
  readonly name: string;
  readonly version: string;
  /** The location as it was registered; undefined for a function of a workflow, which no list shows. */
  readonly url: string | undefined;
  /** Whose it is; undefined where the operator names no tenants. Set when it is served. */
  readonly tenant?: Tenant | undefined;
  /** The workflow whose node this is: it comes and goes with it. */
  readonly workflow?: string | undefined;
  /** As the manifest (or the register call) says: shown by describe. */
  readonly runtime: 'python' | 'python3' | 'LSP';
  readonly backend: 'python' | 'onnx' | 'javascript';
  /** Absolute; the archive's root with MAR-INF in it, if there is one. Read-only for everyone but a Python worker. */
  readonly directory: string;
  /** The archive as it was unpacked, which nobody writes to; undefined: `directory` is all there is. */
  readonly tree?: string | undefined;
  /** For a no-archive model: the folder's parent, which TorchServe also puts on PYTHONPATH. */
  readonly linkParent: string | undefined;
  /** Handler text as TorchServe's grammar has it (`h.py:fn`), or undefined. */
  readonly handler: string | undefined;
  /** The handler that the registration named in place of the manifest's. */
  readonly askedHandler?: string | undefined;
  readonly envelope: string | undefined;
  /** File name inside `directory`. */
  readonly serializedFile: string | undefined;
  readonly requirementsFile: string | undefined;
  readonly config: ModelConfig;
  /** What its requests have to be before a worker sees them; undefined: anything. */
  readonly inputRules?: InputRules | undefined;
  /** Set when a model is prepared that names an interpreter, has an environment of its own or had its requirements installed. */
  readonly python?: ModelPython | undefined;
  /** SHA-256 hex of the archive's bytes; of a folder, over the names, sizes and change times of its files. */
  readonly contentHash: string;
  /** undefined: it was not scanned. */
  readonly scan?: ScanReport | undefined;
  /** Who vouches for it; undefined where the server does not ask. */
  readonly signature?: ModelSignature | undefined;
  /** Archive copied into the store by registration from a URL: deleted with the model. Otherwise undefined. */
  readonly downloadedArchive: string | undefined;
  /** Whether it came from a URL that a caller of an API named, now or before. */
  readonly fetched?: boolean | undefined;
}
