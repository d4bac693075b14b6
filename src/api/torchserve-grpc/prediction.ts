import { BadRequest } from '../../errors/admission.js';
import type { Principal } from '../../inference/principal.js';
import type { HeaderPair, InferenceRequest, InputParameter } from '../../inference/request.js';
import type { Observer } from '../../observability/observer.js';
import type { GrpcCall } from '../grpc-exchange.js';
import type { PredictionsRequest } from '../grpc-generated/inference.js';
import type { InferencePort } from '../torchserve-rest/inference-port.js';

/** A request names each of its inputs; more of them than a form may have parts are no inputs any more. */
const MAX_INPUTS = 1000;

/** What a prediction needs of its call. */
export type PredictionCall = Pick<GrpcCall, 'id' | 'principal' | 'receivedAtMs' | 'deadlineAtMs' | 'closed'>;

/** A prediction as the rest of the server knows it. The handler gets bytes by name, and no headers but those given here. */
export class GrpcInferenceRequest implements InferenceRequest {
  readonly id: string;
  readonly principal: Principal;
  readonly receivedAtMs: number;
  readonly deadlineAtMs: number | undefined;
  readonly purpose = 'predict';

  constructor(
    private readonly call: PredictionCall,
    readonly model: string,
    readonly version: string | undefined,
    readonly inputs: readonly InputParameter[],
    readonly headers: readonly HeaderPair[],
  ) {
    this.id = call.id;
    this.principal = call.principal;
    this.receivedAtMs = call.receivedAtMs;
    this.deadlineAtMs = call.deadlineAtMs;
  }

  get cancelled(): AbortSignal {
    return this.call.closed;
  }
}

/** Reads and counts one prediction. Throws BadRequest, ModelNotFound, ModelVersionNotFound. */
export function readPrediction(
  request: PredictionsRequest,
  call: PredictionCall,
  gate: InferencePort,
  observer: Observer,
  headers: readonly HeaderPair[] = [],
): InferenceRequest {
  const { modelName: model, modelVersion, input } = request;
  if (model === '') throw BadRequest({ message: 'Parameter model_name is required.' });
  const version = modelVersion === '' ? undefined : modelVersion;
  gate.assertServed(call.principal, model, version);
  if (input.size > MAX_INPUTS) throw BadRequest({ message: `A request may have at most ${MAX_INPUTS} inputs.` });
  const inputs = [...input].map(([name, value]): InputParameter => ({ name, contentType: '', value }));
  observer.inferenceRequested(model, version);
  return new GrpcInferenceRequest(call, model, version, inputs, headers);
}
