import { ManagementAPIsServiceDefinition as Management } from '../../src/api/grpc-generated/management.js';
import type { ComparisonGroup } from './comparison.js';
import { registration } from './grpc/management.js';
import { GrpcAsk } from './grpc-ask.js';
import type { Models } from './models.js';
import { manages } from './rest-ask.js';

/** Models whose workers don't start. The last of its pair: TorchServe sometimes forgets such a model, and sometimes goes on listing it (F34). */
export function failingLoads({ speaker, unloadable }: Models): ComparisonGroup {
  const grpc = new GrpcAsk(Management, 'grpcManagement');
  return {
    name: 'failing-loads',
    settings: {},
    store: [speaker, unloadable],
    comparisons: [
      manages('by REST', 'POST', '/models?url=unloadable.mar&initial_workers=1&synchronous=true'),
      manages('in no time', 'POST', '/models?url=speaker.mar&model_name=hasty&initial_workers=1&startup_timeout=0'),
      grpc.unary('by gRPC', Management.methods.registerModel, registration({ url: 'unloadable.mar', modelName: 'another', initialWorkers: 1 })),
    ],
  };
}
