import { FRAME_HEAD_BYTES } from './frames.js';

/** Why a stream of frames can't be read on. `type` is the frame's, so far as it is known. */
export interface FrameFault {
  readonly kind: 'too-long' | 'refused';
  readonly type: number;
}

/**
 * Cuts a stream into frames. A frame that lies whole in one chunk is a view of that chunk; any other is put together in one buffer of its own size,
 * so each byte is copied at most once. Never holds more than one frame. After a fault it takes nothing more.
 */
export class FrameReader {
  readonly #head = Buffer.alloc(FRAME_HEAD_BYTES);
  #headFilled = 0;
  #payload: Buffer | undefined;
  #payloadFilled = 0;
  #fault: FrameFault | undefined;

  /** `take` gets each frame and says whether it is acceptable. `maxPayloadBytes` is asked once per frame. */
  constructor(
    private readonly maxPayloadBytes: number,
    private readonly take: (type: number, payload: Buffer) => boolean,
  ) {}

  /** Gives the fault that ended the reading, if there is one. */
  push(chunk: Buffer): FrameFault | undefined {
    let at = 0;
    while (this.#fault === undefined && at < chunk.length) {
      if (this.#payload !== undefined) at = this.#fillPayload(this.#payload, chunk, at);
      else if (this.#headFilled === 0 && chunk.length - at >= FRAME_HEAD_BYTES) at = this.#begin(chunk, at, chunk, at + FRAME_HEAD_BYTES);
      else at = this.#fillHead(chunk, at);
    }
    return this.#fault;
  }

  #fillHead(chunk: Buffer, at: number): number {
    const copied = chunk.copy(this.#head, this.#headFilled, at);
    this.#headFilled += copied;
    if (this.#headFilled < FRAME_HEAD_BYTES) return at + copied;
    this.#headFilled = 0;
    return this.#begin(this.#head, 0, chunk, at + copied);
  }

  /** The head lies in `head` at `headAt`, what follows it in `chunk` at `at`. Gives where to read on. */
  #begin(head: Buffer, headAt: number, chunk: Buffer, at: number): number {
    const length = head.readUInt32LE(headAt);
    const type = head[headAt + 4] ?? 0;
    const payloadBytes = length - 1;
    if (length === 0) this.#fault = { kind: 'refused', type };
    else if (payloadBytes > this.maxPayloadBytes) this.#fault = { kind: 'too-long', type };
    if (this.#fault !== undefined) return at;
    const end = at + payloadBytes;
    if (end <= chunk.length) {
      this.#give(type, chunk.subarray(at, end));
      return end;
    }
    this.#head[4] = type;
    this.#payload = Buffer.allocUnsafeSlow(payloadBytes);
    this.#payloadFilled = 0;
    return at;
  }

  #fillPayload(payload: Buffer, chunk: Buffer, at: number): number {
    const copied = chunk.copy(payload, this.#payloadFilled, at);
    this.#payloadFilled += copied;
    if (this.#payloadFilled === payload.length) {
      this.#payload = undefined;
      this.#give(this.#head[4] ?? 0, payload);
    }
    return at + copied;
  }

  #give(type: number, payload: Buffer): void {
    if (!this.take(type, payload)) this.#fault = { kind: 'refused', type };
  }
}
