import type { HeaderPair } from '../../inference/request.js';
import type { HttpReply } from '../http-exchange.js';
import { type AskedOutputs, answerAsAsked } from './handler-answer.js';
import { OpenInferenceReply } from './open-inference-reply.js';

/** Gives a handler's whole answer the outputs and the form that the client asked for. Streams, and answers that are no success, go as they are. */
export class AnswerAsAskedReply extends OpenInferenceReply {
  constructor(
    inner: HttpReply,
    private readonly asked: AskedOutputs,
  ) {
    super(inner);
  }

  override send(status: number, body: Uint8Array | string, headers: readonly HeaderPair[] = [], reason?: string): void {
    const changed = status === 200 ? answerAsAsked(typeof body === 'string' ? Buffer.from(body) : body, this.asked) : undefined;
    if (changed === undefined) return super.send(status, body, headers, reason);
    const replaced = new Set(changed.headers.map(([name]) => name.toLowerCase()));
    super.send(status, changed.body, [...headers.filter(([name]) => !replaced.has(name.toLowerCase())), ...changed.headers], reason);
  }
}
