import type { Readable } from 'node:stream';
import type { BodyMeter } from './body-rates.js';

/** What becomes of a body that is being read: exactly one of the two is called, or none when the client leaves first. */
export interface BodySink {
  whole(body: Uint8Array): void;
  tooLarge(): void;
}

/**
 * Reads a request's body. With an announced length the bytes are kept in one allocation, or in none where they came in one piece; its memory is taken
 * with the first byte, so that an announcement alone costs nothing. Never keeps more than `maxBytes`. The meter is done with before the sink is told.
 */
export function readBody(message: Readable, announcedBytes: number | undefined, maxBytes: number, meter: BodyMeter, sink: BodySink): void {
  if (announcedBytes === undefined) collect(message, maxBytes, meter, sink);
  else fill(message, announcedBytes, meter, sink);
}

function fill(message: Readable, announcedBytes: number, meter: BodyMeter, sink: BodySink): void {
  let body: Buffer | undefined;
  let filledBytes = 0;
  message.on('data', (chunk: Buffer) => {
    if (body === undefined && chunk.length === announcedBytes) {
      body = chunk;
    } else {
      body ??= Buffer.allocUnsafeSlow(announcedBytes);
      chunk.copy(body, filledBytes);
    }
    filledBytes += chunk.length;
    meter.received(chunk.length);
  });
  message.on('end', () => {
    meter.over();
    // Shorter than announced, it was cut off; what is left of its memory is nobody's to read.
    if (filledBytes === announcedBytes) sink.whole(body ?? EMPTY_BODY);
  });
}

function collect(message: Readable, maxBytes: number, meter: BodyMeter, sink: BodySink): void {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  const onData = (chunk: Buffer): void => {
    sizeBytes += chunk.length;
    meter.received(chunk.length);
    if (sizeBytes <= maxBytes) {
      chunks.push(chunk);
      return;
    }
    chunks.length = 0;
    message.off('data', onData);
    message.off('end', onEnd);
    meter.over();
    sink.tooLarge();
  };
  const onEnd = (): void => {
    meter.over();
    const [only] = chunks;
    sink.whole(chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks, sizeBytes));
  };
  message.on('data', onData);
  message.on('end', onEnd);
}

/** How much of a body that is too large is read and dropped before its connection is cut. */
export const DISCARD_LIMIT_BYTES = 64 * 1024 * 1024;

/** Reads on without keeping anything, so that a client that is still sending gets to see its answer. `over` is called at the end of the body or after `maxBytes`. */
export function discardBody(message: Readable, maxBytes: number, meter: BodyMeter, over: () => void): void {
  let leftBytes = maxBytes;
  const onData = (chunk: Buffer): void => {
    leftBytes -= chunk.length;
    meter.received(chunk.length);
    if (leftBytes >= 0) return;
    message.off('data', onData);
    message.off('end', onEnd);
    onEnd();
  };
  const onEnd = (): void => {
    meter.over();
    over();
  };
  message.on('data', onData);
  message.on('end', onEnd);
}

export const EMPTY_BODY: Uint8Array = new Uint8Array(0);
