import type { Metadata } from '@grpc/grpc-js';
import { type CallWish, GrpcClient, type Rpc } from '../fixtures/grpc-client.js';
import type { ComparedServer, Comparison, Observed } from './comparison.js';
import { withoutMoments } from './moments.js';
import { observedBody } from './rest-answer.js';

/** Trailers that are left out, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  'x-sconce-reason': 'an addition of Sconce',
  'content-type': 'of HTTP/2: whether a failed call has a head before its trailers',
  date: 'the time of the answer',
};

interface Service {
  readonly fullName: string;
}

/** What a client of one gRPC service asks, and on which port. */
export class GrpcAsk {
  readonly #service: Service;
  readonly #port: 'grpcInference' | 'grpcManagement';

  constructor(service: Service, port: 'grpcInference' | 'grpcManagement') {
    this.#service = service;
    this.#port = port;
  }

  /** A comparison of one call with one answer. `wish` may depend on the server: its keys. */
  unary<Request, Response>(name: string, rpc: Rpc<Request, Response>, request: Request, wish: (server: ComparedServer) => CallWish = () => ({})): Comparison {
    return this.#asked(name, async (client, server) => [await client.unary(rpc, request, wish(server))]);
  }

  /** A comparison of all messages that answer one request, and of how they end. */
  serverStream<Request, Response>(name: string, rpc: Rpc<Request, Response>, request: Request): Comparison {
    return this.#asked(name, async (client, _server, came) => {
      for await (const message of client.serverStream(rpc, request)) came.push(message);
      return came;
    });
  }

  /** A comparison of all messages that answer requests, each sent when `answersEach` messages have answered the one before. The client then closes its side. */
  bidi<Request, Response>(name: string, rpc: Rpc<Request, Response>, requests: readonly (readonly [Request, number])[]): Comparison {
    return this.#asked(name, async (client, _server, came) => {
      const stream = client.stream(rpc);
      const waiting = [...requests];
      let due = 0;
      const next = (): void => {
        const following = waiting.shift();
        if (following === undefined) return void stream.end();
        const [request, answersEach] = following;
        due += answersEach;
        stream.write(request);
        if (answersEach === 0) next();
      };
      next();
      for await (const message of stream) {
        came.push(message);
        if (came.length >= due) next();
      }
      return came;
    });
  }

  #asked(name: string, ask: (client: GrpcClient, server: ComparedServer, came: unknown[]) => Promise<readonly unknown[]>): Comparison {
    return {
      name,
      ask: async (server) => {
        const client = new GrpcClient(server[this.#port], this.#service.fullName, { 'grpc.max_receive_message_length': -1 });
        const came: unknown[] = [];
        try {
          return { code: 0, messages: (await ask(client, server, came)).map(plain) };
        } catch (error) {
          return { ...failed(error), messages: came.map(plain) };
        } finally {
          client.close();
        }
      },
    };
  }
}

function failed(error: unknown): { readonly code: number; readonly details: string; readonly trailers: Observed } {
  if (!(error instanceof Error && 'code' in error && 'details' in error && 'metadata' in error)) throw error;
  const trailers = Object.entries((error.metadata as Metadata).getMap()).filter(([name]) => LEFT_OUT[name] === undefined);
  return {
    code: Number(error.code),
    details: String(error.details).replace(/after \d+\.\d+s/, 'after <time>'),
    trailers: Object.fromEntries(trailers.map(([name, value]) => [name, plain(value)])),
  };
}

/** A message as a tree of plain values. */
function plain(value: unknown): Observed {
  if (value instanceof Uint8Array) return withoutMoments(observedBody(Buffer.from(value)));
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [String(key), plain(inner)]));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).flatMap(([key, inner]) => (inner === undefined ? [] : [[key, plain(inner)]])));
  }
  // TorchServe's gRPC answers are JSON texts in messages.
  if (typeof value === 'string') return withoutMoments(observedBody(Buffer.from(value)));
  return typeof value === 'number' || typeof value === 'boolean' ? value : null;
}
