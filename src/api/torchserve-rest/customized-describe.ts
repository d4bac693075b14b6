import type { InferenceGate } from '../../admission/inference-gate.js';
import type { VersionDescription } from '../../admission/management-gate.js';
import { HandlerFailed } from '../../errors/backend.js';
import { parseLenientJson } from '../../inference/lenient-json.js';
import type { ResponsePart } from '../../inference/part.js';
import type { InferenceRequest } from '../../inference/request.js';
import { type AnswerBound, wholeAnswer } from '../whole-answer.js';
import { describedVersion } from './describe.js';

/** A description is read by people: a handler that says more, or nests deeper, is broken. Together they bound the indented text, which grows with both. */
const MAX_DESCRIPTION_BYTES = 2 ** 20;
const MAX_DESCRIPTION_DEPTH = 64;
/** The lenient reader is slow: it reads what a `str(dict)` gives, not data. */
const MAX_LENIENT_CHARACTERS = 65_536;

/** Who asks, in what words, and for how long. */
export type Asker = Pick<InferenceRequest, 'id' | 'principal' | 'receivedAtMs'> &
  Partial<Pick<InferenceRequest, 'headers' | 'deadlineAtMs'>> & { readonly closed: AbortSignal };

/** A description with the handler's own words in it, and the head that the handler gave its answer. */
export interface HandlerDescription extends Pick<ResponsePart, 'status' | 'reason' | 'headers'> {
  readonly description: object;
}

const refused = (message: string) => HandlerFailed({ status: 500, message });
const BOUND: AnswerBound = {
  limitBytes: MAX_DESCRIPTION_BYTES,
  error: ({ limitBytes }) => refused(`The handler's description is longer than ${limitBytes} bytes.`),
};

/**
 * Asks a worker's handler to describe its model and adds what it says. `wanted`: the version as the client named it. The dispatcher's response time-out
 * bounds the wait. Rejects with why there is no answer, and with HandlerFailed for one that is too long or too deep.
 */
export async function describeCustomized(
  gate: Pick<InferenceGate, 'submit'>,
  asker: Asker,
  found: VersionDescription,
  wanted: string | undefined,
): Promise<HandlerDescription> {
  const { id, principal, headers: asked = [], receivedAtMs, deadlineAtMs } = asker;
  const request: InferenceRequest = {
    id,
    principal,
    model: found.model.name,
    version: wanted,
    purpose: 'describe',
    headers: [...asked, ['describe', 'True']],
    inputs: [],
    receivedAtMs,
    deadlineAtMs,
    get cancelled() {
      return asker.closed;
    },
  };
  const { status, reason, headers, body } = await wholeAnswer((answer) => gate.submit(request, answer), BOUND);
  const customizedMetadata = metadataOf(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString());
  if (isDeeperThan(MAX_DESCRIPTION_DEPTH, customizedMetadata)) {
    throw refused(`The handler's description is nested deeper than ${MAX_DESCRIPTION_DEPTH} levels.`);
  }
  const description = { ...describedVersion(found), ...(customizedMetadata === undefined ? {} : { customizedMetadata }) };
  return { status, reason, headers, description };
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
