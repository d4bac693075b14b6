import type { InferenceGate } from '../../admission/inference-gate.js';
import type { VersionDescription } from '../../admission/management-gate.js';
import { HandlerFailed } from '../../errors/backend.js';
import { parseLenientJson } from '../../inference/lenient-json.js';
import type { ResponsePart } from '../../inference/part.js';
import type { InferenceRequest } from '../../inference/request.js';
import { describedVersion } from './describe.js';

/** A description is read by people: a handler that says more, or nests deeper, is broken. Together they bound the indented text, which grows with both. */
const MAX_DESCRIPTION_BYTES = 2 ** 20;
const MAX_DESCRIPTION_DEPTH = 64;
/** The lenient reader is slow: it reads what a `str(dict)` gives, not data. */
const MAX_LENIENT_CHARACTERS = 65_536;

/** Who asks, in what words, and for how long. */
export type DescriptionAsked = Pick<InferenceRequest, 'id' | 'headers' | 'receivedAtMs' | 'deadlineAtMs' | 'version'> & { readonly closed: AbortSignal };

/** A description with the handler's own words in it, and the head that the handler gave its answer. */
export interface HandlerDescription extends Pick<ResponsePart, 'status' | 'reason' | 'headers'> {
  readonly description: object;
}

/**
 * Asks a worker's handler to describe its model and adds what it says. The dispatcher's response time-out bounds the wait. Rejects with why there is no
 * answer, and with HandlerFailed for one that is too long or too deep.
 */
export function describeCustomized(gate: Pick<InferenceGate, 'submit'>, asked: DescriptionAsked, version: VersionDescription): Promise<HandlerDescription> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    let head: ResponsePart | undefined;
    const part = (given: ResponsePart): void => {
      head ??= given;
      sizeBytes += given.body.length;
      if (sizeBytes > MAX_DESCRIPTION_BYTES) {
        chunks.length = 0;
        return reject(HandlerFailed({ status: 500, message: `The handler's description is longer than ${MAX_DESCRIPTION_BYTES} bytes.` }));
      }
      chunks.push(given.body);
      if (!given.last) return;
      const customizedMetadata = metadataOf(Buffer.concat(chunks).toString());
      if (isDeeperThan(MAX_DESCRIPTION_DEPTH, customizedMetadata)) {
        return reject(HandlerFailed({ status: 500, message: `The handler's description is nested deeper than ${MAX_DESCRIPTION_DEPTH} levels.` }));
      }
      const description = { ...describedVersion(version), ...(customizedMetadata === undefined ? {} : { customizedMetadata }) };
      resolve({ status: head.status, reason: head.reason, headers: head.headers, description });
    };
    const { id, headers, receivedAtMs, deadlineAtMs } = asked;
    gate.submit(
      {
        id,
        model: version.model.name,
        version: asked.version,
        purpose: 'describe',
        headers: [...headers, ['describe', 'True']],
        inputs: [],
        receivedAtMs,
        deadlineAtMs,
        get cancelled() {
          return asked.closed;
        },
      },
      { part, fail: reject },
    );
  });
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
