import type { InferencePurpose, InferenceRequest, InputParameter } from '../inference/request.js';

/** What of a request crosses to a worker thread. */
export type ThreadRequest = Pick<InferenceRequest, 'id' | 'headers' | 'inputs'> & { readonly purpose: InferencePurpose };

/** How one request of a batch ended on the thread. `invalid`: its input cannot be taken. `failed`: the model's or handler's own failure, with the HTTP status to answer. */
export type ThreadAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly reason: string;
      readonly headers: readonly (readonly [string, string])[];
      readonly body: Uint8Array | string;
    }
  | { readonly kind: 'invalid'; readonly what: string }
  | { readonly kind: 'failed'; readonly status: number; readonly message: string };

export type ToThread = { readonly kind: 'batch'; readonly id: number; readonly requests: readonly ThreadRequest[] } | { readonly kind: 'stop' };

export type FromThread =
  | { readonly kind: 'loaded'; readonly facts: unknown }
  | { readonly kind: 'load-failed'; readonly status: number; readonly message: string }
  | { readonly kind: 'done'; readonly id: number; readonly handlerMs: number; readonly answers: readonly ThreadAnswer[] };

/** Bodies laid side by side in one block of memory, so that a message moves one block however many bodies it has. */
export interface PackedBodies {
  readonly bodies: readonly Uint8Array[];
  /** What the message must transfer: the block, and any body that went as it is. */
  readonly transfer: readonly ArrayBuffer[];
}

/** From this size on a body that owns its memory is handed over instead of copied. */
const HAND_OVER_BYTES = 64 * 1024;

/** Copies bodies into one block. With `handOver`, a large body that owns the whole of its memory is moved instead: its sender must not look at it again. */
export function packBodies(values: readonly (Uint8Array | string)[], handOver: boolean): PackedBodies {
  const sizes = values.map((value) => (typeof value === 'string' ? Buffer.byteLength(value) : goesAsItIs(value, handOver) ? 0 : value.byteLength));
  const block = new ArrayBuffer(sizes.reduce((total, size) => total + size, 0));
  const transfer: ArrayBuffer[] = [block];
  let offset = 0;
  const bodies = values.map((value, index) => {
    if (typeof value !== 'string' && goesAsItIs(value, handOver)) {
      transfer.push(value.buffer);
      return value;
    }
    const body = new Uint8Array(block, offset, sizes[index]);
    offset += body.byteLength;
    if (typeof value === 'string') Buffer.from(block, body.byteOffset, body.byteLength).write(value);
    else body.set(value);
    return body;
  });
  return { bodies, transfer };
}

function goesAsItIs(value: Uint8Array, handOver: boolean): value is Uint8Array<ArrayBuffer> {
  return handOver && value.byteLength >= HAND_OVER_BYTES && value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength;
}

/** A batch as a message, its bodies packed. */
export function batchMessage(
  id: number,
  requests: readonly InferenceRequest[],
  handOver: boolean,
): { readonly message: ToThread; readonly transfer: readonly ArrayBuffer[] } {
  const values = requests.flatMap((request) => request.inputs.map((input) => input.value));
  const { bodies, transfer } = packBodies(values, handOver);
  let next = 0;
  const message: ToThread = {
    kind: 'batch',
    id,
    requests: requests.map(({ id: requestId, purpose, headers, inputs }) => ({
      id: requestId,
      purpose,
      headers,
      inputs: inputs.map(({ name, contentType }): InputParameter => {
        const value = bodies[next] ?? new Uint8Array();
        next += 1;
        return { name, contentType, value };
      }),
    })),
  };
  return { message, transfer };
}

/** A message of the thread, or undefined for anything else: the model's code can post to its parent too. */
export function readFromThread(value: unknown): FromThread | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, facts, status, message, id, handlerMs, answers } = value;
  if (kind === 'loaded') return { kind, facts };
  if (kind === 'load-failed' && typeof status === 'number' && typeof message === 'string') return { kind, status, message };
  if (kind !== 'done' || typeof id !== 'number' || typeof handlerMs !== 'number' || !Array.isArray(answers)) return undefined;
  const read = answers.map(readAnswer);
  return read.every((answer) => answer !== undefined) ? { kind, id, handlerMs, answers: read } : undefined;
}

function readAnswer(value: unknown): ThreadAnswer | undefined {
  if (!isRecord(value)) return undefined;
  const { kind, status, reason, headers, body, what, message } = value;
  if (kind === 'invalid' && typeof what === 'string') return { kind, what };
  if (kind === 'failed' && typeof status === 'number' && typeof message === 'string') return { kind, status, message };
  if (kind !== 'answer' || typeof status !== 'number' || typeof reason !== 'string' || !(body instanceof Uint8Array) || !Array.isArray(headers))
    return undefined;
  return { kind, status, reason, headers: headers.filter(isHeader), body };
}

function isHeader(value: unknown): value is readonly [string, string] {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
