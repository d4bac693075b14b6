import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ANYONE } from '../../inference/principal.js';
import type { InferenceRequest } from '../../inference/request.js';
import { decodeWorkerFrame, encodeBatch, encodeCancel, encodeLoad, encodeStop, FRAME, type WirePart } from './frames.js';

const header = z.tuple([z.string(), z.string()]);
const loadOrder = z.object({
  modelName: z.string(),
  modelDir: z.string(),
  handler: z.string().nullable(),
  gpuId: z.number().nullable(),
  batchSize: z.number(),
  envelope: z.string().nullable(),
  limitMaxImagePixels: z.boolean(),
  modelYamlConfig: z.record(z.string(), z.unknown()),
  threads: z.number().nullable(),
});
const input = z.object({ name: z.string(), contentType: z.string(), valueHex: z.string() });
const batchMessage = z.object({
  batchId: z.number(),
  requests: z.array(z.object({ requestId: z.string(), headers: z.array(header), parameters: z.array(input) })),
});
const vectors = z
  .array(z.object({ name: z.string(), to: z.enum(['worker', 'gateway']), type: z.string(), message: z.record(z.string(), z.unknown()), hex: z.string() }))
  .parse(JSON.parse(readFileSync(new URL('../../../test/contract/frame-vectors.json', import.meta.url), 'utf8')));

function aRequest(id: string, headers: InferenceRequest['headers'], inputs: InferenceRequest['inputs']): InferenceRequest {
  const cancelled = new AbortController().signal;
  return { id, principal: ANYONE, model: 'm', version: undefined, purpose: 'predict', headers, inputs, receivedAtMs: 0, deadlineAtMs: undefined, cancelled };
}

function encoded(type: string, message: unknown): Buffer | undefined {
  if (type === 'stop') return encodeStop();
  if (type === 'cancel') return encodeCancel(z.object({ requestIds: z.array(z.string()) }).parse(message).requestIds);
  if (type === 'load') return encodeLoad(loadOrder.parse(message));
  const { batchId, requests } = batchMessage.parse(message);
  return encodeBatch(
    batchId,
    requests.map(({ requestId, headers, parameters }) =>
      aRequest(
        requestId,
        headers,
        parameters.map(({ name, contentType, valueHex }) => ({ name, contentType, value: Buffer.from(valueHex, 'hex') })),
      ),
    ),
  );
}

function plain(frame: ReturnType<typeof decodeWorkerFrame>): unknown {
  if (frame?.kind !== 'parts') return frame;
  return { ...frame, parts: frame.parts.map(({ body, ...part }) => ({ ...part, bodyHex: Buffer.from(body).toString('hex') })) };
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u32(bytes.length), bytes]);
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

interface PartsMessage {
  readonly batchId: number;
  readonly final: boolean;
  readonly handlerMicros: number;
  readonly parts: readonly WirePart[];
}

function partsPayload({ batchId, final, handlerMicros, parts }: PartsMessage): Buffer {
  const pieces = [u32(batchId), Buffer.from([Number(final)]), u32(handlerMicros), u16(parts.length)];
  for (const { index, last, status, phrase, headers, body } of parts) {
    pieces.push(u16(index), Buffer.from([Number(last)]), u16(status), text(phrase), u16(headers.length));
    for (const [name, value] of headers) pieces.push(text(name), text(value));
    pieces.push(u32(body.length), Buffer.from(body));
  }
  return Buffer.concat(pieces);
}

const word = fc.string({ unit: 'grapheme', maxLength: 12 });
const part = fc.record({
  index: fc.nat(0xffff),
  last: fc.boolean(),
  status: fc.nat(0xffff),
  phrase: word,
  headers: fc.array(fc.tuple(word, word), { maxLength: 4 }),
  body: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
});
const partsMessage = fc.record({
  batchId: fc.nat(0xffff_ffff),
  final: fc.boolean(),
  handlerMicros: fc.nat(0xffff_ffff),
  parts: fc.array(part, { maxLength: 5 }),
});

describe('a frame', () => {
  it.each(vectors.filter(({ to }) => to === 'worker'))('to the worker has exactly the bytes of the contract: $name', ({ type, message, hex }) => {
    expect(encoded(type, message)?.toString('hex')).toBe(hex);
  });

  it.each(vectors.filter(({ to }) => to === 'gateway'))('from the worker is understood: $name', ({ type, message, hex }) => {
    const bytes = Buffer.from(hex, 'hex');

    expect(plain(decodeWorkerFrame(bytes[4] ?? 0, bytes.subarray(5)))).toEqual({ kind: type, ...message });
  });

  it('of parts means what was written, whatever it holds', () => {
    fc.assert(
      fc.property(partsMessage, (message) => {
        expect(decodeWorkerFrame(FRAME.parts, partsPayload(message))).toEqual({ kind: 'parts', ...message });
      }),
    );
  });

  it('of parts that is cut short or has bytes left over is refused', () => {
    fc.assert(
      fc.property(partsMessage, fc.nat(), (message, cut) => {
        const payload = partsPayload(message);
        expect(decodeWorkerFrame(FRAME.parts, payload.subarray(0, cut % payload.length))).toBeUndefined();
        expect(decodeWorkerFrame(FRAME.parts, Buffer.concat([payload, Buffer.from([0])]))).toBeUndefined();
      }),
    );
  });

  it('of hostile bytes is refused or understood, and never throws', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(FRAME), 0, 0xff), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
        expect(() => decodeWorkerFrame(type, Buffer.from(bytes))).not.toThrow();
      }),
    );
  });

  it.each([
    ['counts that its bytes cannot hold', Buffer.concat([u32(1), Buffer.from([1]), u32(0), u16(0xffff)])],
    [
      'a body longer than the frame',
      Buffer.concat([u32(1), Buffer.from([1]), u32(0), u16(1), u16(0), Buffer.from([1]), u16(200), text(''), u16(0), u32(0xffff_ffff)]),
    ],
    ['a flag that is neither 0 nor 1', Buffer.concat([u32(1), Buffer.from([2]), u32(0), u16(0)])],
  ])('with %s is refused', (_, payload) => {
    expect(decodeWorkerFrame(FRAME.parts, payload)).toBeUndefined();
  });

  it.each([FRAME.load, FRAME.batch, FRAME.stop, FRAME.cancel, 0x7f])('of type %i, which no worker may send, is refused', (type) => {
    expect(decodeWorkerFrame(type, Buffer.alloc(0))).toBeUndefined();
  });
});
