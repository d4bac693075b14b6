import { randomUUID } from 'node:crypto';
import { inputsOf } from '../api/torchserve-rest/parameters.js';
import { ANYONE } from '../inference/principal.js';
import type { HeaderPair, InferenceRequest } from '../inference/request.js';

export interface LocalWish {
  readonly model: string;
  readonly body: Uint8Array;
  readonly type: string;
  readonly headers: readonly HeaderPair[];
  readonly explain: boolean;
  readonly cancelled: AbortSignal;
}

/** The request that the REST API would make of the same body and headers. */
export function localRequest({ model, body, type, headers, explain, cancelled }: LocalWish): InferenceRequest {
  const id = randomUUID();
  const receivedAtMs = performance.now();
  const all: readonly HeaderPair[] = [...headers, ['Content-Type', type], ['content-length', String(body.length)]];
  const inputs = inputsOf(
    {
      id,
      peer: '',
      principal: ANYONE,
      connector: 'inference',
      method: 'POST',
      target: `/predictions/${encodeURIComponent(model)}`,
      segments: ['predictions', model],
      query: new URLSearchParams(),
      headers: all,
      header: (name) => all.find(([known]) => known.toLowerCase() === name.toLowerCase())?.[1],
      mediaType: (type.split(';')[0] ?? '').trim().toLowerCase(),
      body,
      closed: cancelled,
      receivedAtMs,
    },
    false,
  );
  return {
    id,
    principal: ANYONE,
    model,
    version: undefined,
    purpose: explain ? 'explain' : 'predict',
    headers: [...all, ['url_path', ''], ['explain', explain ? 'True' : 'False']],
    inputs,
    receivedAtMs,
    deadlineAtMs: undefined,
    cancelled,
  };
}
