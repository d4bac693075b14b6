import type { InferenceGate } from '../../admission/inference-gate.js';
import type { VersionDescription } from '../../admission/management-gate.js';
import { HandlerFailed } from '../../errors/backend.js';
import type { Answer } from '../../inference/part.js';
import type { HeaderPair } from '../../inference/request.js';
import type { HttpReply, HttpRequest } from '../http-exchange.js';
import { prettyJson } from '../render-error.js';
import { describedVersion } from './describe.js';

/** A description is read by people: a handler that streams more than this is broken. */
const MAX_DESCRIPTION_BYTES = 16 * 2 ** 20;

/** GET /models/{name}?customized=true: asks a worker's handler to describe its model and adds what it says. The dispatcher's response time-out bounds the wait. */
export function describeCustomized(
  gate: InferenceGate,
  request: HttpRequest,
  reply: HttpReply,
  version: VersionDescription,
  namedVersion: string | undefined,
): void {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  let head: { status: number; reason: string; headers: readonly HeaderPair[] } | undefined;
  const answer: Answer = {
    fail: (error) => {
      if (!reply.begun) reply.fail(error);
    },
    part: ({ status, reason, headers, body, last }) => {
      if (reply.begun) return;
      head ??= { status, reason, headers };
      sizeBytes += body.length;
      if (sizeBytes > MAX_DESCRIPTION_BYTES) {
        chunks.length = 0;
        reply.fail(HandlerFailed({ status: 500, message: `The handler's description is longer than ${MAX_DESCRIPTION_BYTES} bytes.` }));
        return;
      }
      chunks.push(body);
      if (!last) return;
      const described = { ...describedVersion(version), customizedMetadata: jsonObject(Buffer.concat(chunks).toString()) };
      const hasType = head.headers.some(([name]) => name.toLowerCase() === 'content-type');
      const merged: HeaderPair[] = hasType ? [...head.headers] : [['content-type', 'application/json'], ...head.headers];
      reply.send(head.status, prettyJson([described]), merged, head.reason);
    },
  };
  gate.submit(
    {
      id: request.id,
      model: version.model.name,
      version: namedVersion,
      purpose: 'describe',
      headers: [...request.headers, ['describe', 'True']],
      inputs: [],
      receivedAtMs: request.receivedAtMs,
      deadlineAtMs: undefined,
      get cancelled() {
        return request.closed;
      },
    },
    answer,
  );
}

/** Whatever is no JSON object counts as an empty one. */
function jsonObject(text: string): object {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : {};
  } catch {
    return {};
  }
}
