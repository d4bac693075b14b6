import { randomBytes } from 'node:crypto';
import type { HeaderPair, InferenceRequest } from '../inference/request.js';
import { RequestView } from '../inference/request-view.js';

/** Names of the headers that carry a sequence's id, start and end. */
export interface SequenceHeaderNames {
  readonly id: string;
  readonly start: string;
  readonly end: string;
}

/** The id of the sequence that a request belongs to, or undefined: it names none, or an empty one. Header names have no case; of two equal ones the last counts. */
export function sequenceIdOf(request: InferenceRequest, names: SequenceHeaderNames): string | undefined {
  return headerOf(request, names.id) || undefined;
}

/** Whether the client says that this is the sequence's last request. */
export function endsSequence(request: InferenceRequest, names: SequenceHeaderNames): boolean {
  return headerOf(request, names.end)?.trim().toLowerCase() === 'true';
}

/** The ids that a handler's answer names as ended, joined by semicolons. */
export function endedByHandler(headers: readonly HeaderPair[], names: SequenceHeaderNames): readonly string[] {
  const end = names.end.toLowerCase();
  const [, ids] = headers.find(([name]) => name.toLowerCase() === end) ?? [];
  return ids === undefined ? [] : ids.split(';').map((id) => id.trim());
}

/**
 * The request with its sequence's id under the configured spelling, where handlers look it up. A request that names no sequence opens one of its own:
 * an id of 128 random bits in the form that TorchServe gives, and the start header.
 */
export function withSequence(request: InferenceRequest, names: SequenceHeaderNames): InferenceRequest {
  const id = sequenceIdOf(request, names);
  if (id === undefined) return new RequestView(request, { headers: replaced(request.headers, [names.start, 'true'], [names.id, newSequenceId()]) });
  if (request.headers.some(([name]) => name === names.id)) return request;
  return new RequestView(request, { headers: replaced(request.headers, [names.id, id]) });
}

function newSequenceId(): string {
  const hex = randomBytes(16).toString('hex');
  return `ts-seq-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function replaced(headers: readonly HeaderPair[], ...added: readonly HeaderPair[]): readonly HeaderPair[] {
  const names = new Set(added.map(([name]) => name.toLowerCase()));
  return [...headers.filter(([name]) => !names.has(name.toLowerCase())), ...added];
}

function headerOf({ headers }: InferenceRequest, wanted: string): string | undefined {
  const name = wanted.toLowerCase();
  return headers.findLast((header) => header[0].toLowerCase() === name)?.[1];
}
