import type { InferenceRequest } from '../../inference/request.js';
import { readSandboxReport, type SandboxReport } from '../sandbox-report.js';
import { ByteCursor } from './byte-cursor.js';

// The wire between gateway and worker: frames of u32 length, u8 type and payload; every number is little endian. The length counts type and payload.
// A text is a u32 length and UTF-8; bytes are a u32 length and the bytes. The worker's side is python/sconce_worker/frames.py;
// test/contract/frame-vectors.json binds both.

/** Frame types. Below 0x80: gateway to worker; from 0x80: worker to gateway. */
export const FRAME = {
  load: 0x01,
  batch: 0x02,
  stop: 0x03,
  cancel: 0x04,
  hello: 0x81,
  loaded: 0x82,
  parts: 0x83,
  batchError: 0x84,
  batchDone: 0x85,
  requestFailed: 0x86,
} as const;

/** Bytes of a frame before its payload. */
export const FRAME_HEAD_BYTES = 5;

/** The payload of LOAD, sent as JSON. */
export interface LoadOrder {
  readonly modelName: string;
  readonly modelDir: string;
  readonly handler: string | null;
  readonly gpuId: number | null;
  readonly batchSize: number;
  readonly envelope: string | null;
  readonly limitMaxImagePixels: boolean;
  readonly modelYamlConfig: Readonly<Record<string, unknown>>;
  /** Threads of one worker's computations; null leaves that to the libraries. */
  readonly threads: number | null;
  /** Absent: no. See PythonBackendOptions. */
  readonly devTracebacks?: true;
}

/** One part of one request's answer, as the worker words it: nothing of it is checked but its form. */
export interface WirePart {
  readonly index: number;
  readonly last: boolean;
  readonly status: number;
  readonly phrase: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

export type WorkerFrame =
  | { readonly kind: 'hello'; readonly pid: number; readonly python: string; readonly sandbox?: SandboxReport }
  | {
      readonly kind: 'loaded';
      readonly code: number;
      readonly message: string;
      readonly lastLine: string;
      readonly traceback?: string;
      /** What a program that isn't Python tells of its model. */
      readonly facts?: unknown;
    }
  | { readonly kind: 'parts'; readonly batchId: number; readonly final: boolean; readonly handlerMicros: number; readonly parts: readonly WirePart[] }
  | { readonly kind: 'batch-error'; readonly batchId: number; readonly code: number; readonly message: string; readonly handlerMicros: number }
  | { readonly kind: 'batch-done'; readonly batchId: number }
  /** One request of a batch failed; `status` 0: its input cannot be taken. Not said by Python's workers. */
  | { readonly kind: 'request-failed'; readonly batchId: number; readonly index: number; readonly status: number; readonly message: string };

export function encodeLoad(order: LoadOrder | object): Buffer {
  const json = Buffer.from(JSON.stringify(order));
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + json.length);
  writeHead(frame, FRAME.load, json.length);
  json.copy(frame, FRAME_HEAD_BYTES);
  return frame;
}

export function encodeStop(): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES);
  writeHead(frame, FRAME.stop, 0);
  return frame;
}

/** Tells that nobody waits for these requests any more. */
export function encodeCancel(requestIds: readonly string[]): Buffer {
  const size = requestIds.reduce((sum, id) => sum + textBytes(id), 2);
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + size);
  writeHead(frame, FRAME.cancel, size);
  let at = frame.writeUInt16LE(requestIds.length, FRAME_HEAD_BYTES);
  for (const id of requestIds) at = writeText(frame, id, at);
  return frame;
}

/** Longest frame that its length field can tell, in bytes. */
const MAX_FRAME_BYTES = 0xffff_ffff;

/** By it a program that isn't Python is told a request's purpose; no client can send a header of that name. */
export const PURPOSE_HEADER = ':purpose';

/** The BATCH frame of some requests in one buffer; undefined when it would be longer than a frame can be (4 GiB). Throws nothing. */
export function encodeBatch(batchId: number, given: readonly InferenceRequest[], withPurpose = false): Buffer | undefined {
  const requests = withPurpose ? given.map((request) => ({ ...request, headers: [[PURPOSE_HEADER, request.purpose] as const, ...request.headers] })) : given;
  let size = 6;
  for (const request of requests) size += requestBytes(request);
  if (size + 1 > MAX_FRAME_BYTES) return undefined;
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + size);
  writeHead(frame, FRAME.batch, size);
  frame.writeUInt32LE(batchId, 5);
  frame.writeUInt16LE(requests.length, 9);
  let at = 11;
  for (const request of requests) at = writeRequest(frame, request, at);
  return frame;
}

function requestBytes({ id, headers, inputs }: InferenceRequest): number {
  let size = textBytes(id) + 4;
  for (const [name, value] of headers) size += textBytes(name) + textBytes(value);
  for (const { name, contentType, value } of inputs) size += textBytes(name) + textBytes(contentType) + 4 + value.length;
  return size;
}

function writeRequest(frame: Buffer, { id, headers, inputs }: InferenceRequest, start: number): number {
  let at = writeText(frame, id, start);
  at = frame.writeUInt16LE(headers.length, at);
  for (const [name, value] of headers) at = writeText(frame, value, writeText(frame, name, at));
  at = frame.writeUInt16LE(inputs.length, at);
  for (const { name, contentType, value } of inputs) {
    at = writeText(frame, contentType, writeText(frame, name, at));
    at = frame.writeUInt32LE(value.length, at);
    frame.set(value, at);
    at += value.length;
  }
  return at;
}

function textBytes(text: string): number {
  return 4 + Buffer.byteLength(text);
}

function writeText(frame: Buffer, text: string, at: number): number {
  const written = frame.write(text, at + 4);
  frame.writeUInt32LE(written, at);
  return at + 4 + written;
}

function writeHead(frame: Buffer, type: number, payloadBytes: number): void {
  frame.writeUInt32LE(payloadBytes + 1, 0);
  frame[4] = type;
}

/**
 * What a worker says in one frame; undefined for an unknown type and for a payload that isn't exactly what its type promises.
 * Bodies are views of `payload`. Costs no more than the payload is long, whatever counts it claims.
 */
export function decodeWorkerFrame(type: number, payload: Buffer): WorkerFrame | undefined {
  if (type === FRAME.parts) return decodeParts(new ByteCursor(payload));
  if (type === FRAME.batchError) return decodeBatchError(new ByteCursor(payload));
  if (type === FRAME.batchDone) return decodeBatchDone(new ByteCursor(payload));
  if (type === FRAME.requestFailed) return decodeRequestFailed(new ByteCursor(payload));
  if (type === FRAME.hello) return decodeHello(payload);
  if (type === FRAME.loaded) return decodeLoaded(payload);
  return undefined;
}

function decodeParts(cursor: ByteCursor): WorkerFrame | undefined {
  const batchId = cursor.u32();
  const final = cursor.flag();
  const handlerMicros = cursor.u32();
  const count = cursor.u16();
  const parts: WirePart[] = [];
  for (let n = 0; n < count && !cursor.broken; n += 1) {
    const index = cursor.u16();
    const last = cursor.flag();
    const status = cursor.u16();
    const phrase = cursor.text();
    const headerCount = cursor.u16();
    const headers: (readonly [string, string])[] = [];
    for (let h = 0; h < headerCount && !cursor.broken; h += 1) headers.push([cursor.text(), cursor.text()]);
    parts.push({ index, last, status, phrase, headers, body: cursor.bytes() });
  }
  return cursor.atEnd ? { kind: 'parts', batchId, final, handlerMicros, parts } : undefined;
}

function decodeBatchError(cursor: ByteCursor): WorkerFrame | undefined {
  const batchId = cursor.u32();
  const code = cursor.u16();
  const message = cursor.text();
  const handlerMicros = cursor.u32();
  return cursor.atEnd ? { kind: 'batch-error', batchId, code, message, handlerMicros } : undefined;
}

function decodeBatchDone(cursor: ByteCursor): WorkerFrame | undefined {
  const batchId = cursor.u32();
  return cursor.atEnd ? { kind: 'batch-done', batchId } : undefined;
}

function decodeRequestFailed(cursor: ByteCursor): WorkerFrame | undefined {
  const batchId = cursor.u32();
  const index = cursor.u16();
  const status = cursor.u16();
  const message = cursor.text();
  return cursor.atEnd ? { kind: 'request-failed', batchId, index, status, message } : undefined;
}

function decodeHello(payload: Buffer): WorkerFrame | undefined {
  const { pid, python, sandbox } = objectOf(payload);
  const report = readSandboxReport(sandbox);
  if (typeof pid !== 'number' || typeof python !== 'string' || (sandbox !== undefined && report === undefined)) return undefined;
  return { kind: 'hello', pid, python, ...(report === undefined ? {} : { sandbox: report }) };
}

function decodeLoaded(payload: Buffer): WorkerFrame | undefined {
  const { code, message, lastLine, traceback, facts } = objectOf(payload);
  if (typeof code !== 'number' || typeof message !== 'string' || typeof lastLine !== 'string') return undefined;
  const more = { ...(typeof traceback === 'string' ? { traceback } : {}), ...(facts === undefined ? {} : { facts }) };
  return { kind: 'loaded', code, message, lastLine, ...more };
}

function objectOf(payload: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(payload.toString());
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    // Not JSON: the caller misses its fields and refuses the frame.
    return {};
  }
}
