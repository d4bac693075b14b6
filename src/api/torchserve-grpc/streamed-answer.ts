import type { SconceError } from '../../errors/sconce-error.js';
import type { Answer, ResponsePart } from '../../inference/part.js';
import type { GrpcReply } from '../grpc-exchange.js';
import type { PredictionResponse } from '../grpc-generated/inference.js';
import { renderStatus } from '../grpc-status.js';
import { INFERENCE_DIALECT } from './inference-dialect.js';

/** Sends a message per piece. A handler that doesn't stream has one piece, its last. */
export class StreamedAnswer implements Answer {
  constructor(private readonly reply: GrpcReply<PredictionResponse>) {}

  part({ body, last }: ResponsePart): void {
    this.reply.send({ prediction: body });
    if (last) this.reply.end();
  }

  fail(error: SconceError): void {
    this.reply.fail(renderStatus(error, INFERENCE_DIALECT));
  }
}
