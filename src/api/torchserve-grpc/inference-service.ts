import type { Observer } from '../../observability/observer.js';
import { InferenceAPIsServiceDefinition as Inference } from '../grpc-generated/inference.js';
import { type FaultLog, type GrpcMethod, GrpcService } from '../grpc-method.js';
import { prettyJson } from '../render-error.js';
import type { InferencePort } from '../torchserve-rest/inference-port.js';
import { wholeAnswer } from '../whole-answer.js';
import { INFERENCE_DIALECT } from './inference-dialect.js';
import { readPrediction } from './prediction.js';
import { RequestStream, type SequenceKeys } from './request-stream.js';
import { streamedAnswer } from './streamed-answer.js';

export interface InferenceServiceOptions {
  readonly gate: InferencePort;
  readonly observer: Observer;
  readonly sequenceKeys: SequenceKeys;
  readonly logFault: FaultLog;
}

/** TorchServe's inference API over gRPC. */
export function inferenceMethods({ gate, observer, sequenceKeys, logFault }: InferenceServiceOptions): readonly GrpcMethod[] {
  const service = new GrpcService(Inference.fullName, logFault, INFERENCE_DIALECT);
  const { ping, predictions, streamPredictions, streamPredictions2 } = Inference.methods;
  return [
    service.unary(ping, 'infer', (_, { principal }) => ({ health: prettyJson({ status: gate.healthy(principal) ? 'Healthy' : 'Unhealthy' }).trimEnd() })),
    service.unary(predictions, 'infer', async (request, call) => {
      const wanted = readPrediction(request, call, gate, observer);
      const { body } = await wholeAnswer((answer) => gate.submit(wanted, answer));
      return { prediction: body };
    }),
    service.serverStream(streamPredictions, 'infer', (request, call, reply) => {
      const wanted = readPrediction(request, call, gate, observer);
      return streamedAnswer(reply, (answer) => gate.submit(wanted, answer));
    }),
    service.bidi(streamPredictions2, 'infer', (call, reply) => new RequestStream({ call, reply, gate, observer, keys: sequenceKeys, logFault })),
  ];
}
