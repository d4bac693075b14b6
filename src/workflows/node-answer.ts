import { ResponseTooLarge } from '../errors/backend.js';
import type { SconceError } from '../errors/sconce-error.js';
import type { Answer, ResponsePart } from '../inference/part.js';

/** Takes a node's answer in. Status and headers are dropped, as in TorchServe; the parts of a stream become one body. Says one thing once. */
export class NodeAnswer implements Answer {
  readonly #chunks: Uint8Array[] = [];
  #sizeBytes = 0;
  #ended = false;

  constructor(
    private readonly maxBytes: number,
    private readonly answered: (body: Uint8Array, queueMs: number) => void,
    private readonly failed: (error: SconceError) => void,
  ) {}

  part({ body, last, timings }: ResponsePart): void {
    if (this.#ended) return;
    this.#sizeBytes += body.length;
    if (this.#sizeBytes > this.maxBytes) return this.fail(ResponseTooLarge({ limitBytes: this.maxBytes }));
    this.#chunks.push(body);
    if (!last) return;
    this.#ended = true;
    const [only] = this.#chunks;
    this.answered(this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks), timings?.queueMs ?? 0);
  }

  fail(error: SconceError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#chunks.length = 0;
    this.failed(error);
  }
}
