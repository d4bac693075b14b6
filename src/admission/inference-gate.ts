import { ModelNotFound } from '../errors/model.js';
import type { Answer } from '../inference/part.js';
import type { Principal } from '../inference/principal.js';
import type { InferenceRequest } from '../inference/request.js';
import type { ModelMetadata, ModelService } from '../registry/model-service.js';
import type { RequestQuotas } from './request-quotas.js';

export type { ModelMetadata } from '../registry/model-service.js';

/** The door inwards for predictions: all that a protocol may ask for beside answers. What the principal may not use is not found, in the words for what isn't there. */
export class InferenceGate {
  constructor(
    private readonly models: ModelService,
    /** undefined: nobody has any. */
    private readonly quotas?: RequestQuotas,
  ) {}

  /** Never throws and never loses a request: its outcome goes to `answer`. */
  submit(request: InferenceRequest, answer: Answer): void {
    const { principal, model, purpose } = request;
    // A description comes from the handler too, but it is the management API that asks for it.
    if (!principal.mayUse(purpose === 'describe' ? 'manage' : 'infer', model)) answer.fail(ModelNotFound({ model }));
    else if (this.quotas === undefined) this.models.infer(request, answer);
    else this.quotas.submit(request, answer, (counted, to) => this.models.infer(counted, to));
  }

  /** Throws ModelNotFound or ModelVersionNotFound. */
  assertServed(principal: Principal, model: string, version: string | undefined): void {
    assertVisible(principal, model);
    this.models.assertServed(model, version);
  }

  /** Throws ModelNotFound or ModelVersionNotFound. */
  metadata(principal: Principal, model: string, version: string | undefined): ModelMetadata {
    assertVisible(principal, model);
    return this.models.metadata(model, version);
  }

  /** Throws ModelNotFound or ModelVersionNotFound. */
  modelReady(principal: Principal, model: string, version: string | undefined): boolean {
    assertVisible(principal, model);
    return this.models.modelReady(model, version);
  }

  /** Names, in code-unit order. */
  modelNames(principal: Principal): readonly string[] {
    return this.models.list().flatMap(({ name }) => (principal.mayUse('infer', name) ? [name] : []));
  }

  /** Of all models; for whoever belongs to a tenant, of its own. */
  healthy(principal: Principal): boolean {
    return this.models.healthy(principal.isConfined ? (model) => principal.mayUse('infer', model) : undefined);
  }

  ready(): boolean {
    return this.models.ready();
  }

  startupModels(principal: Principal): readonly string[] {
    return this.models.startupModels().filter((name) => principal.mayUse('infer', name));
  }
}

function assertVisible(principal: Principal, model: string): void {
  if (!principal.mayUse('infer', model)) throw ModelNotFound({ model });
}
