import type { HeaderPair } from '../../inference/request.js';
import type { Connector, HttpRequest } from '../http-exchange.js';

/** Headers that speak of the body as the client sent it. */
const OF_THE_BODY = new Set(['content-type', 'content-length', 'inference-header-content-length']);

/** A request with JSON in the place of its body. A view and no copy, because `closed` costs something only where it is asked for. */
export class RewrittenRequest implements HttpRequest {
  readonly mediaType = 'application/json';
  readonly headers: readonly HeaderPair[];

  constructor(
    private readonly original: HttpRequest,
    readonly body: Uint8Array,
  ) {
    const kept = original.headers.filter(([name]) => !OF_THE_BODY.has(name.toLowerCase()));
    this.headers = [...kept, ['content-type', this.mediaType], ['content-length', String(body.byteLength)]];
  }

  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.headers.find(([key]) => key.toLowerCase() === wanted)?.[1];
  }

  get id(): string {
    return this.original.id;
  }

  get connector(): Connector {
    return this.original.connector;
  }

  get method(): string {
    return this.original.method;
  }

  get target(): string {
    return this.original.target;
  }

  get segments(): readonly string[] {
    return this.original.segments;
  }

  get query(): URLSearchParams {
    return this.original.query;
  }

  get closed(): AbortSignal {
    return this.original.closed;
  }

  get receivedAtMs(): number {
    return this.original.receivedAtMs;
  }
}
