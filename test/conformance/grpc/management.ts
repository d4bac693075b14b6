import {
  ManagementAPIsServiceDefinition as Management,
  type RegisterModelRequest,
  type ScaleWorkerRequest,
} from '../../../src/api/grpc-generated/management.js';
import type { ComparisonGroup } from '../comparison.js';
import { GrpcAsk } from '../grpc-ask.js';
import type { Models } from '../models.js';

const { describeModel, listModels, registerModel, scaleWorker, setDefault, unregisterModel } = Management.methods;

export function registration(wish: Partial<RegisterModelRequest>): RegisterModelRequest {
  return {
    batchSize: 0,
    handler: '',
    initialWorkers: 0,
    maxBatchDelay: 0,
    modelName: '',
    responseTimeout: 0,
    runtime: '',
    synchronous: true,
    url: '',
    s3SseKms: false,
    startupTimeout: 0,
    ...wish,
  };
}

function scaling(wish: Partial<ScaleWorkerRequest>): ScaleWorkerRequest {
  return { modelName: 'speaker', modelVersion: '', maxWorker: 0, minWorker: 0, numberGpu: 0, synchronous: true, timeout: 0, ...wish };
}

function about(modelName: string, modelVersion = ''): { readonly modelName: string; readonly modelVersion: string } {
  return { modelName, modelVersion };
}

/** TorchServe's management service over gRPC. */
export function grpcManagement({ speaker, secondSpeaker }: Models): ComparisonGroup {
  const ask = new GrpcAsk(Management, 'grpcManagement');
  return {
    name: 'grpc-management',
    settings: {},
    store: [speaker, secondSpeaker],
    comparisons: [
      ask.unary('registers nothing', registerModel, registration({})),
      ask.unary('registers what isn’t there', registerModel, registration({ url: 'nobody.mar' })),
      ask.unary('registers what is above the store', registerModel, registration({ url: '../speaker.mar' })),
      ask.unary('registers what nobody answers for', registerModel, registration({ url: 'http://127.0.0.1:1/a.mar' })),
      ask.unary('registers for an unknown runtime', registerModel, registration({ url: 'speaker.mar', runtime: 'cobol' })),
      ask.unary(
        'registers a model',
        registerModel,
        registration({ url: 'speaker.mar', batchSize: 2, maxBatchDelay: 30, responseTimeout: 40, startupTimeout: 50 }),
      ),
      ask.unary('registers a model again', registerModel, registration({ url: 'speaker.mar' })),
      ask.unary('registers its second version', registerModel, registration({ url: 'speaker-2.0.mar', initialWorkers: 1 })),
      ask.unary('registers under another name', registerModel, registration({ url: 'speaker.mar', modelName: 'other' })),
      ask.unary('registers in the background', registerModel, registration({ url: 'speaker.mar', modelName: 'later', initialWorkers: 1, synchronous: false })),

      ask.unary('lists one', listModels, { limit: 1, nextPageToken: 0 }),
      ask.unary('lists the next', listModels, { limit: 1, nextPageToken: 1 }),
      ask.unary('lists all', listModels, { limit: 100, nextPageToken: 0 }),
      ask.unary('lists too many', listModels, { limit: 101, nextPageToken: 0 }),
      ask.unary('lists fewer than none', listModels, { limit: -1, nextPageToken: -1 }),
      ask.unary('lists without a limit', listModels, { limit: 0, nextPageToken: 0 }),

      ask.unary('describes a model', describeModel, { ...about('speaker'), customized: false }),
      ask.unary('describes a version', describeModel, { ...about('speaker', '2.0'), customized: false }),
      ask.unary('describes all versions of one', describeModel, { ...about('other', 'all'), customized: false }),
      ask.unary('describes no model', describeModel, { ...about('nobody'), customized: false }),
      ask.unary('describes no version', describeModel, { ...about('speaker', '9.9'), customized: false }),
      ask.unary('describes without a name', describeModel, { ...about(''), customized: false }),
      ask.unary('asks a version what it says of itself', describeModel, { ...about('speaker', '2.0'), customized: true }),
      ask.unary('asks a model without workers what it says of itself', describeModel, { ...about('speaker'), customized: true }),
      ask.unary('asks no model what it says of itself', describeModel, { ...about('nobody'), customized: true }),

      ask.unary('scales to what is unset, which is one', scaleWorker, scaling({})),
      ask.unary('scales to two', scaleWorker, scaling({ minWorker: 2 })),
      ask.unary('scales to more at least than at most', scaleWorker, scaling({ minWorker: 2, maxWorker: 1 })),
      ask.unary('scales a version', scaleWorker, scaling({ minWorker: 1, maxWorker: 1, modelVersion: '2.0' })),
      ask.unary('scales in the background', scaleWorker, scaling({ minWorker: 1, maxWorker: 1, synchronous: false })),
      ask.unary('scales no model', scaleWorker, scaling({ modelName: 'nobody' })),
      ask.unary('scales no version', scaleWorker, scaling({ modelVersion: '9.9' })),

      ask.unary('sets a default', setDefault, about('speaker', '2.0')),
      ask.unary('sets a default that isn’t there', setDefault, about('speaker', '9.9')),
      ask.unary('sets a default of no model', setDefault, about('nobody', '1.0')),

      ask.unary('unregisters the default while there is another', unregisterModel, about('speaker')),
      ask.unary('unregisters no version', unregisterModel, about('speaker', '9.9')),
      ask.unary('unregisters no model', unregisterModel, about('nobody')),
      ask.unary('unregisters without a name', unregisterModel, about('')),
      ask.unary('unregisters a version', unregisterModel, about('speaker', '1.0')),
      ask.unary('unregisters the model', unregisterModel, about('speaker')),
      ask.unary('unregisters the other', unregisterModel, about('other')),
      ask.unary('unregisters the later', unregisterModel, about('later')),
    ],
  };
}
