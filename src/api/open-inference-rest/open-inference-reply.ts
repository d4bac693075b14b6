import type { SconceError } from '../../errors/sconce-error.js';
import type { HeaderPair } from '../../inference/request.js';
import type { HttpReply } from '../http-exchange.js';
import { renderOpenInferenceError } from '../render-error.js';

/** A reply whose failures have the Open Inference Protocol's `error` beside TorchServe's members. */
export class OpenInferenceReply implements HttpReply {
  constructor(protected readonly inner: HttpReply) {}

  get begun(): boolean {
    return this.inner.begun;
  }

  json(status: number, value: unknown, headers?: readonly HeaderPair[]): void {
    this.inner.json(status, value, headers);
  }

  send(status: number, body: Uint8Array | string, headers?: readonly HeaderPair[], reason?: string): void {
    this.inner.send(status, body, headers, reason);
  }

  fail(error: SconceError): void {
    const { status, headers, body } = renderOpenInferenceError(error);
    this.inner.send(status, body, headers);
  }

  open(status: number, headers: readonly HeaderPair[], reason?: string): void {
    this.inner.open(status, headers, reason);
  }

  chunk(bytes: Uint8Array): boolean {
    return this.inner.chunk(bytes);
  }

  end(): void {
    this.inner.end();
  }

  abort(): void {
    this.inner.abort();
  }
}
