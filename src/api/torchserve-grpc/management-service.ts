import type { InferenceGate } from '../../admission/inference-gate.js';
import type { ManagementGate, RegisterWish } from '../../admission/management-gate.js';
import { BadRequest, Invariant } from '../../errors/admission.js';
import { SconceError } from '../../errors/sconce-error.js';
import type { GrpcCall } from '../grpc-exchange.js';
import { type DescribeModelRequest, ManagementAPIsServiceDefinition as Management, type RegisterModelRequest } from '../grpc-generated/management.js';
import { type FaultLog, type GrpcMethod, GrpcService } from '../grpc-method.js';
import { renderStatus, StatusError } from '../grpc-status.js';
import { prettyJson } from '../render-error.js';
import { describeCustomized } from '../torchserve-rest/customized-describe.js';
import { describedVersion } from '../torchserve-rest/describe.js';
import { modelPage, pageOf } from '../torchserve-rest/list.js';
import { registerAnswer, runtimeOf } from '../torchserve-rest/register.js';
import { scaleAnswer } from '../torchserve-rest/scale.js';
import { INFERENCE_DIALECT } from './inference-dialect.js';
import { MANAGEMENT_DIALECT } from './management-dialect.js';

export interface ManagementServiceOptions {
  readonly gate: ManagementGate;
  readonly inference: Pick<InferenceGate, 'submit'>;
  /** Reads worker memory anew before it is shown. */
  readonly refreshMemory: () => Promise<void>;
  readonly logFault: FaultLog;
}

/** Models that a page holds where the client doesn't say. */
const PAGE = 100;

/** TorchServe's management API over gRPC: the REST API's texts and JSON as `msg`. */
export function managementMethods(options: ManagementServiceOptions): readonly GrpcMethod[] {
  const { gate, logFault } = options;
  const service = new GrpcService(Management.fullName, logFault, MANAGEMENT_DIALECT);
  const { describeModel, listModels, registerModel, scaleWorker, setDefault, unregisterModel } = Management.methods;
  return [
    service.unary(describeModel, 'manage', (request, call) =>
      request.customized && request.modelVersion !== 'all' ? describeByHandler(request, call, options) : describe(request, call, options),
    ),
    service.unary(listModels, 'manage', ({ limit, nextPageToken }, call) =>
      message(modelPage(pageOf(gate.list(call), limit === 0 ? PAGE : limit, nextPageToken))),
    ),
    service.unary(registerModel, 'manage', async (request, call) => {
      gate.assertModelApi(call);
      return { msg: registerAnswer(await gate.register(call, registerWish(request))).text };
    }),
    service.unary(scaleWorker, 'manage', async ({ modelName, modelVersion, minWorker, maxWorker, synchronous }, call) => {
      const minWorkers = positive(minWorker) ?? 1;
      const version = named(modelVersion);
      const outcome = await gate.scale(call, { model: modelName, version, minWorkers, maxWorkers: positive(maxWorker) ?? minWorkers, synchronous });
      return { msg: scaleAnswer(outcome, minWorkers, modelName, version).text };
    }),
    service.unary(setDefault, 'manage', ({ modelName, modelVersion }, call) => {
      gate.setDefault(call, modelName, modelVersion);
      return { msg: `Default version successfully updated for model "${modelName}" to "${modelVersion}"` };
    }),
    service.unary(unregisterModel, 'manage', async ({ modelName, modelVersion }, call) => {
      gate.assertModelApi(call);
      if (modelName === '') throw BadRequest({ message: 'Parameter url is required.' });
      await gate.unregister(call, modelName, named(modelVersion));
      return { msg: `Model "${modelName}" unregistered` };
    }),
  ];
}

const message = (value: unknown): { msg: string } => ({ msg: prettyJson(value).trimEnd() });
const named = (text: string): string | undefined => (text === '' ? undefined : text);
const positive = (value: number): number | undefined => (value > 0 ? value : undefined);

async function describe({ modelName, modelVersion }: DescribeModelRequest, call: GrpcCall, { gate, refreshMemory }: ManagementServiceOptions) {
  const version = named(modelVersion);
  gate.describe(call, modelName, version === 'all' ? undefined : version);
  await refreshMemory();
  return message(
    version === 'all' ? gate.describeAll(call, modelName).map((one) => describedVersion(one)) : [describedVersion(gate.describe(call, modelName, version))],
  );
}

/** TorchServe treats this like a prediction, down to the status of an unknown model. */
async function describeByHandler({ modelName, modelVersion }: DescribeModelRequest, call: GrpcCall, options: ManagementServiceOptions) {
  const { gate, inference, refreshMemory } = options;
  const version = named(modelVersion);
  try {
    gate.describe(call, modelName, version);
    await refreshMemory();
    const { description } = await describeCustomized(inference, call, gate.describe(call, modelName, version), version);
    return message([description]);
  } catch (error) {
    if (!(error instanceof SconceError) || Invariant.is(error)) throw error;
    throw new StatusError(renderStatus(error, INFERENCE_DIALECT), error);
  }
}

/** Throws BadRequest without a url, or for an unknown runtime. */
function registerWish(request: RegisterModelRequest): RegisterWish {
  const { url, modelName, runtime, handler, batchSize, maxBatchDelay, initialWorkers, synchronous, responseTimeout, startupTimeout, s3SseKms } = request;
  if (url === '') throw BadRequest({ message: 'Parameter url is required.' });
  return {
    url,
    modelName: named(modelName),
    runtime: runtimeOf(named(runtime)),
    handler: named(handler),
    batchSize: positive(batchSize),
    maxBatchDelayMs: positive(maxBatchDelay),
    initialWorkers: positive(initialWorkers),
    synchronous,
    responseTimeoutS: positive(responseTimeout),
    startupTimeoutS: positive(startupTimeout),
    s3SseKms,
  };
}
