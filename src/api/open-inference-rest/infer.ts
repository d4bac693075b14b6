import { BadInput } from '../../errors/backend.js';
import { binaryOutputsOf, JSON_LENGTH_HEADER, memberOf, mixedBodyOf } from '../../inference/binary-tensors.js';
import type { HttpReply, HttpRequest } from '../http-exchange.js';
import type { InferencePort } from '../torchserve-rest/inference-port.js';
import type { Predict } from '../torchserve-rest/predict.js';
import { AnswerAsAskedReply } from './answer-as-asked-reply.js';
import type { AskedOutputs } from './handler-answer.js';
import { handlerJson } from './handler-input.js';
import { jsonOf } from './json-of.js';
import { withJson } from './rewritten-request.js';

/**
 * Predicts or explains. A model that takes tensors reads the protocol by itself. A handler reads JSON, its envelope or its author sees to that: binary tensors
 * become JSON on the way in, and the outputs are chosen and become binary on the way out. Rejects with what is wrong with the request.
 */
export async function infer(
  { predict, gate }: { readonly predict: Predict; readonly gate: InferencePort },
  [model, version]: readonly [model: string, version: string | undefined],
  purpose: 'predict' | 'explain',
  request: HttpRequest,
  reply: HttpReply,
): Promise<void> {
  const wish = { model, version, purpose, headers: [['explain', purpose === 'explain' ? 'True' : 'False']], queryIsInput: false } as const;
  const { takesTensors } = gate.metadata(request.principal, model, version);
  if (takesTensors || request.header(JSON_LENGTH_HEADER) !== undefined) assertNotCompressed(request);
  if (takesTensors) return predict.run(wish, request, reply);
  const { seen, asked } = await forHandler(request);
  predict.run(wish, seen, asked === undefined ? reply : new AnswerAsAskedReply(reply, asked));
}

/** Tensors would be looked for in what is none. A handler that reads its body by itself may know how. */
function assertNotCompressed(request: HttpRequest): void {
  const encoding = request.header('content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (encoding !== 'identity') throw BadInput({ what: `A body with content-encoding ${encoding} is not supported; send it as it is.` });
}

/** What a handler sees of a request, and what is to be done to its answer. A request without tensors in bytes is seen as it came. */
async function forHandler(request: HttpRequest): Promise<{ readonly seen: HttpRequest; readonly asked: AskedOutputs | undefined }> {
  const mixed = mixedBodyOf(request.headers, request.body);
  if (mixed === 'broken') throw BadInput({ what: 'inference-header-content-length does not say where the JSON of the body ends.' });
  if (mixed === undefined) return { seen: request, asked: asksForOutputs(request.body) ? askedOf(jsonOf(request.body)) : undefined };
  const json = jsonOf(mixed.json);
  const inputs = memberOf(json, 'inputs');
  if (typeof json !== 'object' || json === null || !Array.isArray(inputs))
    throw BadInput({ what: 'The JSON before the binary tensors needs "inputs", an array.' });
  return { seen: withJson(request, Buffer.from(await handlerJson(json, inputs, mixed.bytes))), asked: askedOf(json) };
}

/** Most requests don't, and their JSON isn't read here. */
function asksForOutputs(body: Uint8Array): boolean {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return bytes.includes('"outputs"') || bytes.includes('"binary_data_output"');
}

function askedOf(json: unknown): AskedOutputs {
  const outputs = memberOf(json, 'outputs');
  const names = Array.isArray(outputs) ? outputs.map((output) => String(memberOf(output, 'name'))) : [];
  return { names: names.length === 0 ? undefined : names, isBinary: binaryOutputsOf(json) };
}
