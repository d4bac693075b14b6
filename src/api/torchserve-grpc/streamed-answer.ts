import type { Answer } from '../../inference/part.js';
import type { GrpcReply } from '../grpc-exchange.js';
import type { PredictionResponse } from '../grpc-generated/inference.js';

/** Runs `submit` with an answer that sends a message per piece. A handler that doesn't stream has one piece, its last. Rejects with the answer's failure. */
export function streamedAnswer(reply: GrpcReply<PredictionResponse>, submit: (answer: Answer) => void): Promise<void> {
  return new Promise((resolve, reject) =>
    submit({
      part({ body, last }) {
        reply.send({ prediction: body });
        if (!last) return;
        reply.end();
        resolve();
      },
      fail: reject,
    }),
  );
}
