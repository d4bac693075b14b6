import type { Answer } from '../archives/archive.js';
import type { Observed } from './comparison.js';

/** Headers that are left out of the comparison, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  date: 'the time of the answer; TorchServe sends none',
  'content-length': 'the body itself is compared',
  'transfer-encoding': 'whether an answer comes in chunks is compared by its chunks',
  'server-timing': 'an addition of Sconce',
  'x-sconce-reason': 'an addition of Sconce',
  'x-content-type-options': 'an addition of Sconce',
  'cross-origin-resource-policy': 'an addition of Sconce',
};
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** An answer as a tree: status, phrase, headers by name as spelt, chunks, and the body: JSON where it is JSON, text where it is text, base64 otherwise. */
export function observedAnswer({ status, reason, headers, body, chunks, isCutOff }: Answer): Observed {
  const kept = headers.filter(([name]) => LEFT_OUT[name.toLowerCase()] === undefined).map(([name, value]) => [name, withoutIds(value)]);
  return {
    status,
    reason,
    headers: Object.fromEntries(kept),
    ...(chunks === undefined ? { body: observedBody(body) } : { chunks: chunks.map(observedBody) }),
    ...(isCutOff ? { isCutOff } : {}),
  };
}

/** Ids that each server makes anew become `<uuid>`. */
export function withoutIds(text: string): string {
  return text.replace(UUID, '<uuid>');
}

/** JSON where it is JSON, text where it is text, base64 otherwise. */
export function observedBody(body: Buffer): Observed {
  const text = body.toString();
  if (!Buffer.from(text).equals(body)) return { base64: body.toString('base64') };
  try {
    const value: Observed = JSON.parse(text);
    // How it is written counts as well as what it says, but for the digits of numbers, which have a tolerance of their own.
    return typeof value === 'object' && value !== null ? { json: value, written: withoutIds(text).replace(/-?\d+(\.\d+)?(e[+-]?\d+)?/gi, '0') } : text;
  } catch {
    return withoutIds(text);
  }
}
