import {
  type InferTensorContents,
  type ModelInferRequest,
  GRPCInferenceServiceDefinition as OpenInference,
} from '../../../src/api/grpc-generated/open_inference_grpc.js';
import { emptyContents } from '../../../src/api/open-inference-grpc/contents.js';
import type { ComparisonGroup } from '../comparison.js';
import { GrpcAsk } from '../grpc-ask.js';
import type { Models } from '../models.js';
import { manages } from '../rest-ask.js';
import { OPEN_INFERENCE } from './rest.js';

const { modelInfer, modelMetadata, modelReady, serverLive, serverMetadata, serverReady } = OpenInference.methods;

function infers(modelName: string, datatype: string, contents: Partial<InferTensorContents>, modelVersion = ''): ModelInferRequest {
  const tensor = { name: 'x', datatype, shape: [1n, 2n], parameters: new Map(), contents: { ...emptyContents(), ...contents } };
  return { modelName, modelVersion, id: 'mine', parameters: new Map(), inputs: [tensor], outputs: [], rawInputContents: [] };
}

/** The Open Inference Protocol over gRPC: typed contents, as TorchServe knows them. */
export function openInferenceGrpc({ open, speaker }: Models): ComparisonGroup {
  const ask = new GrpcAsk(OpenInference, 'grpcInference');
  const typed: readonly (readonly [string, Partial<InferTensorContents>])[] = [
    ['BOOL', { boolContents: [true, false] }],
    ['INT8', { intContents: [-128, 127] }],
    ['INT16', { intContents: [-32768, 1] }],
    ['INT32', { intContents: [-1, 2147483647] }],
    ['INT64', { int64Contents: [-1n, 2n ** 53n] }],
    ['UINT8', { uintContents: [0, 255] }],
    ['UINT16', { uintContents: [0, 65535] }],
    ['UINT32', { uintContents: [0, 4294967295] }],
    ['UINT64', { uint64Contents: [0n, 2n ** 53n] }],
    ['FP32', { fp32Contents: [1.5, -2.25] }],
    ['FP64', { fp64Contents: [0.1, -1e300] }],
    ['BYTES', { bytesContents: [Buffer.from('one'), Buffer.from([0, 255])] }],
  ];
  return {
    name: 'open-inference-grpc',
    settings: OPEN_INFERENCE,
    store: [open, speaker],
    comparisons: [
      ask.unary('liveness', serverLive, {}),
      ask.unary('readiness', serverReady, {}),
      ask.unary('the server', serverMetadata, {}),
      ask.unary('no model’s readiness', modelReady, { name: 'nobody', version: '' }),
      ask.unary('readiness without a name', modelReady, { name: '', version: '' }),
      ask.unary('no model’s metadata', modelMetadata, { name: 'nobody', version: '' }),
      ask.unary('metadata without a name', modelMetadata, { name: '', version: '' }),
      ask.unary('infer of no model', modelInfer, infers('nobody', 'FP32', { fp32Contents: [1, 2] })),
      ask.unary('infer without a name', modelInfer, infers('', 'FP32', { fp32Contents: [1, 2] })),
      manages('a model is registered', 'POST', '/models?url=open.mar'),
      ask.unary('a model’s readiness without a worker', modelReady, { name: 'open', version: '' }),
      ask.unary('infer without a worker', modelInfer, infers('open', 'FP32', { fp32Contents: [1, 2] })),
      manages('a worker', 'PUT', '/models/open?min_worker=1&synchronous=true'),
      ask.unary('a model’s readiness', modelReady, { name: 'open', version: '' }),
      ask.unary('a version’s readiness', modelReady, { name: 'open', version: '1.0' }),
      ask.unary('no version’s readiness', modelReady, { name: 'open', version: '9.9' }),
      ask.unary('a model’s metadata', modelMetadata, { name: 'open', version: '' }),
      ask.unary('a version’s metadata', modelMetadata, { name: 'open', version: '1.0' }),
      ask.unary('no version’s metadata', modelMetadata, { name: 'open', version: '9.9' }),
      ask.unary('infer of a version', modelInfer, infers('open', 'INT32', { intContents: [1, 2] }, '1.0')),
      ask.unary('infer of no version', modelInfer, infers('open', 'INT32', { intContents: [1, 2] }, '9.9')),
      ...typed.map(([datatype, contents]) => ask.unary(`infer of ${datatype}`, modelInfer, infers('open', datatype, contents))),
      manages('the model goes', 'DELETE', '/models/open'),
    ],
  };
}
