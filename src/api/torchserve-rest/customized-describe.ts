import type { InferenceGate } from '../../admission/inference-gate.js';
import type { VersionDescription } from '../../admission/management-gate.js';
import { HandlerFailed } from '../../errors/backend.js';
import { parseLenientJson } from '../../inference/lenient-json.js';
import type { Answer } from '../../inference/part.js';
import type { HeaderPair } from '../../inference/request.js';
import type { HttpReply, HttpRequest } from '../http-exchange.js';
import { prettyJson } from '../render-error.js';
import { describedVersion } from './describe.js';

/** A description is read by people: a handler that says more, or nests deeper, is broken. Together they bound the indented text, which grows with both. */
const MAX_DESCRIPTION_BYTES = 2 ** 20;
const MAX_DESCRIPTION_DEPTH = 64;
/** The lenient reader is slow: it reads what a `str(dict)` gives, not data. */
const MAX_LENIENT_CHARACTERS = 65_536;

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
  const refuse = (message: string): void => {
    chunks.length = 0;
    reply.fail(HandlerFailed({ status: 500, message }));
  };
  const answer: Answer = {
    fail: (error) => {
      if (!reply.begun) reply.fail(error);
    },
    part: ({ status, reason, headers, body, last }) => {
      if (reply.begun) return;
      head ??= { status, reason, headers };
      sizeBytes += body.length;
      if (sizeBytes > MAX_DESCRIPTION_BYTES) return refuse(`The handler's description is longer than ${MAX_DESCRIPTION_BYTES} bytes.`);
      chunks.push(body);
      if (!last) return;
      const customizedMetadata = metadataOf(Buffer.concat(chunks).toString());
      if (isDeeperThan(MAX_DESCRIPTION_DEPTH, customizedMetadata))
        return refuse(`The handler's description is nested deeper than ${MAX_DESCRIPTION_DEPTH} levels.`);
      const described = { ...describedVersion(version), ...(customizedMetadata === undefined ? {} : { customizedMetadata }) };
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

/** What the handler said, as TorchServe reads it: an empty body leaves the field out, whatever else is no object counts as an empty one. */
function metadataOf(text: string): object | undefined {
  if (text.trim() === '') return undefined;
  const json = jsonOf(text);
  return typeof json === 'object' && json !== null && !Array.isArray(json) ? json : {};
}

/** The value of strict or lenient JSON; '' where it is neither. */
function jsonOf(text: string): unknown {
  for (const parse of text.length > MAX_LENIENT_CHARACTERS ? [JSON.parse] : [JSON.parse, parseLenientJson]) {
    try {
      return parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return '';
}

/** Never goes deeper than `levels` itself. */
function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member));
}
