import { Socket } from 'node:net';
import { Invariant } from '../errors/admission.js';
import type { InferencePurpose, InputParameter } from '../inference/request.js';
import { ByteCursor } from './python/byte-cursor.js';
import { FrameReader } from './python/frame-reader.js';
import { FRAME, FRAME_HEAD_BYTES, PURPOSE_HEADER } from './python/frames.js';
import type { FromThread, ThreadAnswer, ThreadRequest, ToThread } from './thread-messages.js';

/** Where the process finds its line to the gateway; see python/sconce_worker/other_program.py. */
const LINE = 3;
const MAX_FRAME_BYTES = 0xffff_ffff;
const PURPOSES: readonly InferencePurpose[] = ['predict', 'explain', 'describe'];

/** The other end of a WorkerProcess, for a model that runs in a process of its own: the messages of a worker thread as frames. */
export class ProcessPort {
  readonly #socket = new Socket({ fd: LINE, readable: true, writable: true });
  #received: (message: ToThread) => void = () => undefined;
  #loads: (data: unknown) => void = () => undefined;
  /** What the model is loaded from. */
  readonly data = new Promise<unknown>((resolve) => {
    this.#loads = resolve;
  });

  constructor() {
    const reader = new FrameReader(MAX_FRAME_BYTES, (type, payload) => this.#frame(type, payload));
    this.#socket.on('data', (chunk: Buffer) => {
      if (reader.push(chunk) !== undefined) process.exit(1);
    });
    // The gateway has gone, or wants nothing more.
    this.#socket.on('error', () => process.exit(0));
    this.#socket.on('close', () => process.exit(0));
  }

  onMessage(receive: (message: ToThread) => void): void {
    this.#received = receive;
  }

  post(message: FromThread): void {
    if (message.kind === 'loaded') return this.#json(FRAME.loaded, { code: 200, message: '', lastLine: '', facts: message.facts });
    if (message.kind === 'load-failed') return this.#json(FRAME.loaded, { code: message.status, message: message.message, lastLine: message.message });
    this.#socket.cork();
    for (const [index, answer] of message.answers.entries()) this.#answer(message.id, index, answer);
    this.#write(FRAME.parts, [partsHead(message.id, true, message.handlerMs, 0)]);
    this.#socket.uncork();
  }

  /** Ends the process when all that was posted has been handed over. */
  end(): void {
    this.#socket.end(() => process.exit(0));
  }

  #frame(type: number, payload: Buffer): boolean {
    if (type === FRAME.load) this.#loads(JSON.parse(payload.toString()));
    else if (type === FRAME.stop) this.#received({ kind: 'stop' });
    else if (type === FRAME.batch) this.#received(readBatch(new ByteCursor(payload)));
    return true;
  }

  #answer(batch: number, index: number, answer: ThreadAnswer): void {
    if (answer.kind !== 'answer') {
      const [status, text] = answer.kind === 'invalid' ? [0, answer.what] : [answer.status, answer.message];
      const head = Buffer.alloc(8);
      head.writeUInt32LE(batch);
      head.writeUInt16LE(index, 4);
      head.writeUInt16LE(status, 6);
      return this.#write(FRAME.requestFailed, [head, sized(text)]);
    }
    const head = Buffer.alloc(5);
    head.writeUInt16LE(index);
    head[2] = 1;
    head.writeUInt16LE(answer.status, 3);
    const count = Buffer.alloc(2);
    count.writeUInt16LE(answer.headers.length);
    const headers = answer.headers.flatMap(([name, value]) => [sized(name), sized(value)]);
    this.#write(FRAME.parts, [partsHead(batch, false, 0, 1), head, sized(answer.reason), count, ...headers, sized(answer.body)]);
  }

  #json(type: number, value: unknown): void {
    this.#write(type, [Buffer.from(JSON.stringify(value))]);
  }

  #write(type: number, pieces: readonly Buffer[]): void {
    const head = Buffer.alloc(FRAME_HEAD_BYTES);
    head.writeUInt32LE(1 + pieces.reduce((sum, piece) => sum + piece.length, 0));
    head[4] = type;
    this.#socket.write(Buffer.concat([head, ...pieces]));
  }
}

function partsHead(batch: number, final: boolean, handlerMs: number, count: number): Buffer {
  const head = Buffer.alloc(11);
  head.writeUInt32LE(batch);
  head[4] = final ? 1 : 0;
  head.writeUInt32LE(Math.min(MAX_FRAME_BYTES, Math.round(handlerMs * 1000)), 5);
  head.writeUInt16LE(count, 9);
  return head;
}

function sized(value: Uint8Array | string): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The gateway's BATCH frame. */
function readBatch(cursor: ByteCursor): ToThread {
  const id = cursor.u32();
  const requests = Array.from({ length: cursor.u16() }, (): ThreadRequest => {
    const requestId = cursor.text();
    const told = Array.from({ length: cursor.u16() }, () => [cursor.text(), cursor.text()] as const);
    const inputs = Array.from({ length: cursor.u16() }, (): InputParameter => ({ name: cursor.text(), contentType: cursor.text(), value: cursor.bytes() }));
    const named = told.find(([name]) => name === PURPOSE_HEADER)?.[1];
    const purpose = PURPOSES.find((known) => known === named) ?? 'predict';
    return { id: requestId, purpose, headers: told.filter(([name]) => name !== PURPOSE_HEADER), inputs };
  });
  if (!cursor.atEnd) throw Invariant({ what: 'the gateway sent a broken batch' });
  return { kind: 'batch', id, requests };
}
