import type { ManagementGate, Registered, RegisterWish } from '../../admission/management-gate.js';
import { BadRequest } from '../../errors/admission.js';
import type { HttpReply, HttpRequest } from '../http-exchange.js';
import { WishParameters } from './wish-parameters.js';

const RUNTIMES = new Map<string, NonNullable<RegisterWish['runtime']>>([
  ['python', 'python'],
  ['python3', 'python3'],
  ['lsp', 'LSP'],
]);

/** POST /models */
export async function register(gate: ManagementGate, request: HttpRequest, reply: HttpReply): Promise<void> {
  gate.assertModelApi(request);
  const registered = await gate.register(request, registerWish(WishParameters.of(request)));
  const { status, text } = registerAnswer(registered);
  reply.json(status, { status: text });
}

/** Throws BadRequest without a url, or for an unknown runtime. */
function registerWish(given: WishParameters): RegisterWish {
  return {
    url: given.required('url'),
    modelName: given.text('model_name'),
    runtime: runtimeOf(given.text('runtime')),
    handler: given.text('handler'),
    batchSize: positive(given.integer('batch_size', -1)),
    maxBatchDelayMs: notNegative(given.integer('max_batch_delay', -100)),
    initialWorkers: given.integer('initial_workers'),
    synchronous: given.boolean('synchronous', true),
    responseTimeoutS: notNegative(given.integer('response_timeout', -1)),
    startupTimeoutS: notNegative(given.integer('startup_timeout', -1)),
    s3SseKms: given.boolean('s3_sse_kms', false),
    sha256: checksum(given.text('sha256')),
  };
}

/** TorchServe's words for each outcome. */
export function registerAnswer({ model, version, minWorkers, workers }: Registered): { readonly status: number; readonly text: string } {
  switch (workers) {
    case 'none':
      return {
        status: 200,
        text: `Model "${model}" Version: ${version} registered with 0 initial workers. Use scale workers API to add workers for the model.`,
      };
    case 'started':
      return { status: 200, text: `Model "${model}" Version: ${version} registered with ${minWorkers} initial workers` };
    case 'starting':
      return { status: 202, text: 'Processing worker updates...' };
    case 'partial':
      return { status: 206, text: 'Workers scaling in progress...' };
  }
}

/** Throws BadRequest for a runtime that there is not. */
export function runtimeOf(text: string | undefined): RegisterWish['runtime'] {
  if (text === undefined) return undefined;
  const runtime = RUNTIMES.get(text.toLowerCase());
  if (runtime === undefined) throw BadRequest({ message: `Invalid RuntimeType value: ${text}` });
  return runtime;
}

/** Throws BadRequest for what is no SHA-256. */
function checksum(text: string | undefined): string | undefined {
  if (text !== undefined && !/^[0-9a-f]{64}$/i.test(text)) throw BadRequest({ message: 'sha256 has to be 64 hexadecimal digits' });
  return text?.toLowerCase();
}

function positive(value: number | undefined): number | undefined {
  return value !== undefined && value < 1 ? undefined : value;
}

function notNegative(value: number | undefined): number | undefined {
  return value !== undefined && value < 0 ? undefined : value;
}
