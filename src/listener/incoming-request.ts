import type { Connector, HttpRequest } from '../api/http-exchange.js';
import { NOBODY } from '../inference/principal.js';
import type { HeaderPair } from '../inference/request.js';
import type { RequestHead } from './request-head.js';
import { pathOf, queryOf, segmentsOf } from './request-target.js';

/** What a request has in common with its reply. */
type ReplyFacts = Pick<HttpRequest, 'id' | 'receivedAtMs' | 'closed'>;

/** What a request has in common with all others of its connection. */
type ConnectionFacts = Pick<HttpRequest, 'peer' | 'tlsPrincipal'>;

/**
 * A request as Node read it. Everything that not every route needs (segments, query, header pairs) is worked out on first use, once.
 * `segments` and `query` throw IllegalArgument for a broken percent escape.
 */
export class IncomingRequest implements HttpRequest {
  principal = NOBODY;
  readonly #message: RequestHead;
  readonly #reply: ReplyFacts;
  #segments: readonly string[] | undefined;
  #query: URLSearchParams | undefined;
  #headers: readonly HeaderPair[] | undefined;
  #mediaType: string | undefined;

  constructor(
    message: RequestHead,
    reply: ReplyFacts,
    readonly connection: ConnectionFacts,
    readonly connector: Connector,
    readonly body: Uint8Array,
  ) {
    this.#message = message;
    this.#reply = reply;
  }

  get peer(): string {
    return this.connection.peer;
  }

  get tlsPrincipal(): string | undefined {
    return this.connection.tlsPrincipal;
  }

  get id(): string {
    return this.#reply.id;
  }

  get receivedAtMs(): number {
    return this.#reply.receivedAtMs;
  }

  get closed(): AbortSignal {
    return this.#reply.closed;
  }

  get method(): string {
    return this.#message.method ?? '';
  }

  get target(): string {
    return this.#message.url ?? '';
  }

  get segments(): readonly string[] {
    this.#segments ??= segmentsOf(pathOf(this.target));
    return this.#segments;
  }

  get query(): URLSearchParams {
    this.#query ??= queryOf(this.target);
    return this.#query;
  }

  get headers(): readonly HeaderPair[] {
    this.#headers ??= pairsOf(this.#message.rawHeaders, this.body.length);
    return this.#headers;
  }

  header(name: string): string | undefined {
    return firstHeader(this.#message.rawHeaders, name.toLowerCase());
  }

  get mediaType(): string {
    if (this.#mediaType === undefined) {
      const value = firstHeader(this.#message.rawHeaders, 'content-type') ?? '';
      const end = value.indexOf(';');
      this.#mediaType = (end === -1 ? value : value.slice(0, end)).trim().toLowerCase();
    }
    return this.#mediaType;
  }
}

/** The first value of a header in Node's flat list of names and values. `lowerCaseName` as it says. */
export function firstHeader(rawHeaders: readonly string[], lowerCaseName: string): string | undefined {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) return rawHeaders[i + 1];
  }
  return undefined;
}

/** As the client sent them; a body that came in chunks is told by its length, since chunks end here. */
function pairsOf(rawHeaders: readonly string[], bodyBytes: number): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  let cameInChunks = false;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? '';
    if (name.toLowerCase() === 'transfer-encoding') cameInChunks = true;
    else pairs.push([name, rawHeaders[i + 1] ?? '']);
  }
  if (cameInChunks) pairs.push(['content-length', String(bodyBytes)]);
  return pairs;
}
