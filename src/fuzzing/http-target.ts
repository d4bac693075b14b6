import { Agent, request } from 'undici';
import type { Ask } from './campaign.js';

export interface TargetAddress {
  readonly url: string;
  readonly socketPath: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly insecure: boolean;
  /** Path of the model's predictions. */
  readonly path: string;
  readonly timeoutMs: number;
}

const MAX_BODY_BYTES = 1_048_576;

/** Asks a served model over HTTP, over one connection, one request after another. */
export function httpTarget({ url, socketPath, headers, insecure, path, timeoutMs }: TargetAddress): { readonly ask: Ask; close(): Promise<void> } {
  const dispatcher = new Agent({ connections: 1, connect: { rejectUnauthorized: !insecure, ...(socketPath === undefined ? {} : { socketPath }) } });
  const ask: Ask = async ({ contentType, body }) => {
    const startedAt = performance.now();
    const ms = () => performance.now() - startedAt;
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const type = contentType === '' ? {} : { 'content-type': contentType };
      const answer = await request(`${url}${path}`, { method: 'POST', headers: { ...headers, ...type }, body, dispatcher, signal });
      const reason = answer.headers['x-sconce-reason'];
      let text = '';
      for await (const chunk of answer.body) {
        text += String(chunk);
        if (text.length > MAX_BODY_BYTES) break;
      }
      return { kind: 'answered', status: answer.statusCode, reason: typeof reason === 'string' ? reason : undefined, body: text, ms: ms() };
    } catch (error) {
      const isTimeOut = error instanceof Error && error.name === 'TimeoutError';
      return { kind: 'silent', why: isTimeOut ? 'time-out' : 'connection', ms: ms() };
    }
  };
  return { ask, close: () => dispatcher.destroy() };
}
