import type { InferenceGate } from '../../admission/inference-gate.js';
import { BadRequest } from '../../errors/admission.js';
import type { ServedTensor } from '../../inference/served-signature.js';
import type { GrpcCall } from '../grpc-exchange.js';
import { type ModelInferRequest, type ModelInferResponse, GRPCInferenceServiceDefinition as OpenInference } from '../grpc-generated/open_inference_grpc.js';
import { type FaultLog, type GrpcMethod, GrpcService } from '../grpc-method.js';
import { GRPC, type GrpcDialect } from '../grpc-status.js';
import { ONNX_PLATFORM } from '../open-inference-rest/model-metadata.js';
import { INFERENCE_DIALECT, tagOfRefusal } from '../torchserve-grpc/inference-dialect.js';
import { GrpcInferenceRequest } from '../torchserve-grpc/prediction.js';
import { wholeAnswer } from '../whole-answer.js';
import { inferResponse } from './infer-answer.js';
import { assertOneForm, handlerInput, tensorInput } from './infer-input.js';

export interface OpenInferenceOptions {
  readonly gate: InferenceGate;
  /** The version that the server says it is. */
  readonly version: string;
  readonly logFault: FaultLog;
}

const EXTENSIONS = ['kserve', 'kubeflow'];
const NAME_MISSING = 'Parameter name is required.';
const MODEL_NAME_MISSING = 'Parameter model_name is required.';

/** A missing name is INTERNAL, as everywhere in TorchServe's inference API; an unknown model, INTERNAL where it shall predict, is NOT_FOUND where it is only asked about. */
const ASKING: GrpcDialect = { code: (error) => (BadRequest.is(error) ? GRPC.internal : undefined), tag: tagOfRefusal };

/** TorchServe's clients call the service by the first name, KServe's and Triton's by the second; the messages are the same. */
const FULL_NAMES: readonly string[] = [OpenInference.fullName, 'inference.GRPCInferenceService'];

/** The Open Inference Protocol over gRPC, version 2 of KServe's protocol. */
export function openInferenceMethods(options: OpenInferenceOptions): readonly GrpcMethod[] {
  return FULL_NAMES.flatMap((fullName) => methodsOf(fullName, options));
}

function methodsOf(fullName: string, { gate, version: serverVersion, logFault }: OpenInferenceOptions): readonly GrpcMethod[] {
  const asking = new GrpcService(fullName, logFault, ASKING);
  const inferring = new GrpcService(fullName, logFault, INFERENCE_DIALECT);
  const { serverLive, serverReady, modelReady, serverMetadata, modelMetadata, modelInfer } = OpenInference.methods;
  return [
    asking.unary(serverLive, 'infer', () => ({ live: true })),
    asking.unary(serverReady, 'infer', () => ({ ready: true })),
    asking.unary(modelReady, 'infer', ({ name, version }, { principal }) => ({
      ready: gate.modelReady(principal, required(name, NAME_MISSING), named(version)),
    })),
    asking.unary(serverMetadata, 'infer', () => ({ name: 'Torchserve', version: serverVersion, extensions: EXTENSIONS })),
    asking.unary(modelMetadata, 'infer', ({ name, version }, { principal }) => {
      const { versions, takesTensors, signature } = gate.metadata(principal, required(name, MODEL_NAME_MISSING), named(version));
      const { inputs = [], outputs = [] } = signature ?? {};
      const platform = takesTensors ? ONNX_PLATFORM : '';
      return { name, versions: [...versions], platform, inputs: inputs.map(tensorMetadata), outputs: outputs.map(tensorMetadata) };
    }),
    inferring.unary(modelInfer, 'infer', (request, call) => infer(request, call, gate)),
  ];
}

const named = (text: string): string | undefined => (text === '' ? undefined : text);
const tensorMetadata = ({ name, datatype, shape }: ServedTensor) => ({ name, datatype, shape: shape.map(BigInt) });

function required(name: string, message: string): string {
  if (name === '') throw BadRequest({ message });
  return name;
}

async function infer(request: ModelInferRequest, call: GrpcCall, gate: InferenceGate): Promise<ModelInferResponse> {
  const model = required(request.modelName, MODEL_NAME_MISSING);
  const version = named(request.modelVersion);
  const { takesTensors } = gate.metadata(call.principal, model, version);
  assertOneForm(request);
  const { input, headers } = takesTensors ? tensorInput(request) : await handlerInput(request);
  const wanted = new GrpcInferenceRequest(call, model, version, [input], headers);
  return inferResponse(await wholeAnswer((answer) => gate.submit(wanted, answer)), request);
}
