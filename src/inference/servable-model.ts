import type { ModelConfig } from './model-config.js';

/** What the intake makes of an archive: unpacked, checked and described. Nothing of the archive has been executed. */
export interface ServableModel {
  readonly name: string;
  readonly version: string;
  /** The location as it was registered. */
  readonly url: string;
  /** As the manifest (or the register call) says: shown by describe. */
  readonly runtime: 'python' | 'python3' | 'LSP';
  readonly backend: 'python' | 'onnx' | 'javascript';
  /** Absolute; the archive's root with MAR-INF in it, if there is one. Read-only for everyone but a Python worker. */
  readonly directory: string;
  /** For a no-archive model: the folder's parent, which TorchServe also puts on PYTHONPATH. */
  readonly linkParent: string | undefined;
  /** Handler text as TorchServe's grammar has it (`h.py:fn`), or undefined. */
  readonly handler: string | undefined;
  readonly envelope: string | undefined;
  /** File name inside `directory`. */
  readonly serializedFile: string | undefined;
  readonly requirementsFile: string | undefined;
  readonly config: ModelConfig;
  /** SHA-256 hex of the archive's bytes; of a folder, over the names, sizes and change times of its files. */
  readonly contentHash: string;
  /** Archive copied into the store by registration from a URL: deleted with the model. Otherwise undefined. */
  readonly downloadedArchive: string | undefined;
}
