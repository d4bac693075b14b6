import type { Answer, ArchiveRequest, Places } from '../archives/archive.js';
import { exchange, exchangeBytes } from '../archives/exchange.js';
import type { ComparedServer, Comparison, Observed } from './comparison.js';
import { withoutMoments } from './moments.js';
import { observedAnswer } from './rest-answer.js';

const NO_FILES: Places = { root: '', madeFolder: '' };

export interface Asked extends Omit<ArchiveRequest, 'port'> {
  readonly port?: 'inference' | 'management' | 'metrics';
}

type Headers = Readonly<Record<string, string>>;

/** A comparison of one answer. */
export function asks(name: string, request: Asked): Comparison {
  return { name, ask: async (server) => observed(await answerTo(server, request)) };
}

/** A comparison of one answer of the management API. */
export function manages(name: string, method: string, path: string, more: Pick<Asked, 'body' | 'headers'> = {}): Comparison {
  return asks(name, { port: 'management', method, path, ...more });
}

/** A comparison of the answer to bytes that may be no HTTP. */
export function sends(name: string, bytes: string, port: 'inference' | 'management' = 'inference'): Comparison {
  return { name, ask: async (server) => observed(await exchangeBytes(server[port], Buffer.from(bytes, 'latin1'))) };
}

/** JSON as it is sent to either API. */
export function jsonBody(value: unknown, headers: Headers = {}): Pick<Asked, 'body' | 'headers'> {
  return { body: typeof value === 'string' ? value : JSON.stringify(value), headers: { 'Content-Type': 'application/json', ...headers } };
}

/** A form as `curl -d` sends it. */
export function formBody(fields: Readonly<Record<string, string>>, headers: Headers = {}): Pick<Asked, 'body' | 'headers'> {
  return { body: new URLSearchParams(fields).toString(), headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers } };
}

export function answerTo(server: ComparedServer, request: Asked): Promise<Answer> {
  const { port = 'inference', ...asked } = request;
  return exchange(server[port], asked, NO_FILES);
}

/** An answer without what is of the moment. */
export function observed(answer: Answer): Observed {
  return withoutMoments(observedAnswer(answer));
}
