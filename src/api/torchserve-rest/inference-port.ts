import type { ModelMetadata } from '../../admission/inference-gate.js';
import type { Answer } from '../../inference/part.js';
import type { InferenceRequest } from '../../inference/request.js';

/** What the REST inference paths ask of the gate behind them. */
export interface InferencePort {
  /** Never throws and never loses a request: its outcome goes to `answer`. */
  submit(request: InferenceRequest, answer: Answer): void;
  /** Throws ModelNotFound or ModelVersionNotFound. */
  assertServed(model: string, version: string | undefined): void;
  /** Throws ModelNotFound or ModelVersionNotFound. */
  metadata(model: string, version: string | undefined): ModelMetadata;
  /** Names, in code-unit order. */
  modelNames(): readonly string[];
  /** TorchServe's /ping rule. */
  healthy(): boolean;
  /** True when the start-up models are loaded, or given up, and the server is not draining. */
  ready(): boolean;
  /** Names of the models that were loaded at start. */
  startupModels(): readonly string[];
}
