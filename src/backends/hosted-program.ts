import type { ServableModel } from '../inference/servable-model.js';
import type { Runner, RunnerEvents, RunnerSpec } from './backend.js';
import type { Isolation } from './isolation.js';

/** A model that can run in a process of its own: a module of this package that serves it, as a worker thread would. */
export interface HostedProgram {
  /** The compiled module, which calls `serveThread`. */
  readonly entry: URL;
  /** What is handed to the module's `load`: plain JSON. `directory` is where the process finds the model. May throw LoadFailed. */
  readonly data: (directory: string) => object;
  /** What the process finds in its environment, as far as its sandbox lets it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Called with what the process told of its model when it had loaded; it is the model's word. */
  readonly loaded?: ((facts: unknown) => void) | undefined;
}

/** Runs models in processes of their own, enclosed as Python's workers are. */
export interface ProcessHost {
  /** Whether a model is to run so. No word of its archive's changes it. */
  isolationOf(model: ServableModel): Isolation;
  /** What of an environment the model's code may see. */
  visible(model: string, environment: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
  /** Gets ready for a first runner of a model that is to run so, and says in the log why it is. Rejects with BackendUnavailable. */
  prepareHost(model: ServableModel): Promise<void>;
  createHosted(spec: RunnerSpec, events: RunnerEvents, program: HostedProgram): Runner;
}
