import type { Answer } from '../inference/part.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ModelMetadata, ModelService } from '../registry/model-service.js';

export type { ModelMetadata } from '../registry/model-service.js';

/** The door inwards for predictions: all that a protocol may ask for beside answers. */
export class InferenceGate {
  constructor(private readonly models: ModelService) {}

  /** Never throws and never loses a request: its outcome goes to `answer`. */
  submit(request: InferenceRequest, answer: Answer): void {
    this.models.infer(request, answer);
  }

  /** Throws ModelNotFound or ModelVersionNotFound. */
  assertServed(model: string, version: string | undefined): void {
    this.models.assertServed(model, version);
  }

  /** Throws ModelNotFound or ModelVersionNotFound. */
  metadata(model: string, version: string | undefined): ModelMetadata {
    return this.models.metadata(model, version);
  }

  /** Throws ModelNotFound or ModelVersionNotFound. */
  modelReady(model: string, version: string | undefined): boolean {
    return this.models.modelReady(model, version);
  }

  /** Names, in code-unit order. */
  modelNames(): readonly string[] {
    return this.models.list().map(({ name }) => name);
  }

  healthy(): boolean {
    return this.models.healthy();
  }

  ready(): boolean {
    return this.models.ready();
  }

  startupModels(): readonly string[] {
    return this.models.startupModels();
  }
}
