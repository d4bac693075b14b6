import { InferenceAPIsServiceDefinition as Inference, type PredictionsRequest } from '../../../src/api/grpc-generated/inference.js';
import type { ComparisonGroup } from '../comparison.js';
import { GrpcAsk } from '../grpc-ask.js';
import type { Models } from '../models.js';
import { manages } from '../rest-ask.js';

const { ping, predictions, streamPredictions, streamPredictions2 } = Inference.methods;
const CODES = [400, 401, 403, 404, 409, 413, 416, 418, 429, 499, 500, 501, 503, 504, 507, 599];

interface About {
  readonly model?: string;
  readonly version?: string;
  readonly sequenceId?: string;
}

function wish(input: Readonly<Record<string, string | Uint8Array>>, { model = 'speaker', version = '', sequenceId }: About = {}): PredictionsRequest {
  return {
    modelName: model,
    modelVersion: version,
    input: new Map(Object.entries(input).map(([name, value]) => [name, Buffer.from(value as string)])),
    ...(sequenceId === undefined ? {} : { sequenceId }),
  };
}

/** TorchServe's inference service over gRPC. */
export function grpcInference({ speaker, secondSpeaker, sequential }: Models): ComparisonGroup {
  const ask = new GrpcAsk(Inference, 'grpcInference');
  const inSequence = { model: 'sequential', sequenceId: 's' };
  return {
    name: 'grpc-inference',
    settings: {},
    store: [speaker, secondSpeaker, sequential],
    comparisons: [
      ask.unary('ping', ping, {}),
      ask.unary('a prediction of no model', predictions, wish({}, { model: 'nobody' })),
      ask.unary('a prediction without a name', predictions, wish({}, { model: '' })),
      manages('a model without workers is registered', 'POST', '/models?url=speaker.mar'),
      ask.unary('a prediction without workers', predictions, wish({ do: 'tell' })),
      manages('a worker', 'PUT', '/models/speaker?min_worker=1&synchronous=true'),
      manages('a second version is registered', 'POST', '/models?url=speaker-2.0.mar&initial_workers=1'),

      ask.unary('a prediction', predictions, wish({ do: 'tell', json: '{"a": 1}', bytes: new Uint8Array([0, 255]), empty: '' })),
      ask.unary('a prediction without input', predictions, wish({})),
      ask.unary('a prediction of a version', predictions, wish({ do: 'tell' }, { version: '2.0' })),
      ask.unary('a prediction of no version', predictions, wish({ do: 'tell' }, { version: '9.9' })),
      ask.unary('a prediction with a sequence’s id', predictions, wish({ do: 'tell' }, { sequenceId: 's' })),
      ask.unary('a prediction with metadata, which the handler doesn’t get', predictions, wish({ do: 'tell' }), () => ({ metadata: { 'x-one': '1' } })),
      ask.unary('a large input', predictions, wish({ do: 'give', data: 'x', much: Buffer.alloc(6_000_000) })),
      ask.unary('an input that is too large', predictions, wish({ do: 'give', data: 'x', much: Buffer.alloc(6_600_000) })),
      ask.unary('a status that a handler sets, which is dropped', predictions, wish({ do: 'status' })),
      ask.unary('what a handler raises', predictions, wish({ do: 'raise' })),
      ...CODES.map((code) => ask.unary(`what a handler refuses with ${code}`, predictions, wish({ do: 'refuse', code: String(code) }))),
      ask.unary('a call whose time is over', predictions, wish({ do: 'tell' }), () => ({ options: { deadline: Date.now() - 1 } })),

      ask.serverStream('a stream', streamPredictions, wish({ do: 'stream', count: '3' })),
      ask.serverStream('a stream of a version', streamPredictions, wish({ do: 'stream', count: '2' }, { version: '2.0' })),
      ask.serverStream('a stream of no model', streamPredictions, wish({}, { model: 'nobody' })),
      ask.serverStream('a stream of no version', streamPredictions, wish({}, { version: '9.9' })),
      ask.serverStream('a stream without a name', streamPredictions, wish({}, { model: '' })),
      ask.serverStream('a stream of what raises', streamPredictions, wish({ do: 'raise' })),
      ask.serverStream('a stream of what is refused', streamPredictions, wish({ do: 'refuse', code: '404' })),
      ask.serverStream('a stream that fails in its middle', streamPredictions, wish({ do: 'stream', count: '5', fail_after: '1' })),
      ask.serverStream('the next stream is whole', streamPredictions, wish({ do: 'stream', count: '2' })),

      manages('a model with sequences is registered', 'POST', '/models?url=sequential.mar'),
      ask.bidi('a sequence of requests', streamPredictions2, [
        [wish({ do: 'stream', count: '2' }, inSequence), 3],
        [wish({ do: 'stream', count: '1', ts_request_sequence_end: 'true' }, inSequence), 2],
      ]),
      ask.bidi('a request of no model in a sequence', streamPredictions2, [[wish({}, { model: 'nobody', sequenceId: 's' }), 1]]),
      ask.bidi('a request of no version in a sequence', streamPredictions2, [[wish({}, { model: 'sequential', version: '9.9', sequenceId: 's' }), 1]]),
      ask.bidi('a request without a name in a sequence', streamPredictions2, [[wish({}, { model: '', sequenceId: 's' }), 1]]),
      ask.bidi('no requests', streamPredictions2, []),

      manages('the model with sequences goes', 'DELETE', '/models/sequential'),
      manages('the second version goes', 'DELETE', '/models/speaker/2.0'),
      manages('the model goes', 'DELETE', '/models/speaker'),
    ],
  };
}
