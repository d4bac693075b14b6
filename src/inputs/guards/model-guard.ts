import { z } from 'zod';
import type { Answer, ResponsePart } from '../../inference/part.js';
import { ANYONE } from '../../inference/principal.js';
import type { InferenceRequest } from '../../inference/request.js';
import type { Guard } from './guard.js';

const MAX_ANSWER_BYTES = 65_536;
const score = z.number().min(0).max(1);
/** `{"score": 0.9}`, `{"scores": [..]}`, `[0.1, 0.9]` or `0.9`. */
const judgement = z.union([score, z.array(score).min(1), z.looseObject({ score }), z.looseObject({ scores: z.array(score).min(1) })]).transform((said) => {
  if (typeof said === 'number') return said;
  if (Array.isArray(said)) return Math.max(...said);
  return 'scores' in said && Array.isArray(said.scores) ? Math.max(...said.scores.map(Number)) : Number(said.score);
});

/** Asks another served model, which gets `{"texts": [...]}` as JSON. Its own rules are not asked: no guard can call for itself. */
export class ModelGuard implements Guard {
  constructor(
    readonly name: string,
    private readonly ask: (request: InferenceRequest, answer: Answer) => void,
  ) {}

  judge(texts: readonly string[], signal: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      const given = (): void => reject(new Error('it took too long'));
      signal.addEventListener('abort', given, { once: true });
      const body: Uint8Array[] = [];
      let sizeBytes = 0;
      const part = ({ status, body: piece, last }: ResponsePart): void => {
        sizeBytes += piece.byteLength;
        if (sizeBytes > MAX_ANSWER_BYTES) return reject(new Error('its answer is too long'));
        body.push(piece);
        if (!last) return;
        signal.removeEventListener('abort', given);
        if (status !== 200) return reject(new Error(`it answered ${status}`));
        const read = judgement.safeParse(jsonOf(Buffer.concat(body).toString()));
        if (read.success) resolve(read.data);
        else reject(new Error('its answer is no score'));
      };
      const inputs = [{ name: 'body', contentType: 'application/json', value: Buffer.from(JSON.stringify({ texts })) }];
      const headers = [['content-type', 'application/json']] as const;
      const request = { id: crypto.randomUUID(), principal: ANYONE, model: this.name, version: undefined, purpose: 'predict', headers, inputs } as const;
      this.ask({ ...request, receivedAtMs: performance.now(), deadlineAtMs: undefined, cancelled: signal }, { part, fail: reject });
    });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
