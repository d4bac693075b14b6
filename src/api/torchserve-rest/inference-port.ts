import type { ModelMetadata } from '../../admission/inference-gate.js';
import type { Answer } from '../../inference/part.js';
import type { Principal } from '../../inference/principal.js';
import type { InferenceRequest } from '../../inference/request.js';

/** What the REST inference paths ask of the gate behind them. A model that the principal may not use is not found. */
export interface InferencePort {
  /** Never throws and never loses a request: its outcome goes to `answer`. */
  submit(request: InferenceRequest, answer: Answer): void;
  /** Throws ModelNotFound or ModelVersionNotFound. */
  assertServed(principal: Principal, model: string, version: string | undefined): void;
  /** Throws ModelNotFound or ModelVersionNotFound. */
  metadata(principal: Principal, model: string, version: string | undefined): ModelMetadata;
  /** Names of those that the principal may use, in code-unit order. */
  modelNames(principal: Principal): readonly string[];
  /** TorchServe's /ping rule, for the models that are the principal's business. */
  healthy(principal: Principal): boolean;
  /** True when the start-up models are loaded, or given up, and the server is not draining. */
  ready(): boolean;
  /** Names of those models that were loaded at start and that the principal may use. */
  startupModels(principal: Principal): readonly string[];
}
