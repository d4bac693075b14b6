import type { Scope } from '../admission/scope.js';
import { Invariant } from '../errors/admission.js';
import { SconceError } from '../errors/sconce-error.js';
import type { GrpcCall, GrpcReceiver, GrpcReply } from './grpc-exchange.js';
import { GRPC, type GrpcDialect, type GrpcStatus, renderStatus, StatusError } from './grpc-status.js';

/** One method of a service, down to bytes. */
export interface GrpcMethod {
  /** `org.pytorch.serve.grpc.inference.InferenceAPIsService` */
  readonly service: string;
  readonly name: string;
  /** Checked before a message is read. */
  readonly scope: Scope;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  /** Never throws; neither does the receiver. */
  begin(call: GrpcCall, reply: GrpcReply<Uint8Array>): GrpcReceiver<Uint8Array>;
}

/** The codec of one kind of message, as it is generated. */
interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** A method as it is generated. */
interface Rpc<Request, Response> {
  readonly name: string;
  readonly requestType: MessageType<Request>;
  readonly requestStream: boolean;
  readonly responseType: MessageType<Response>;
  readonly responseStream: boolean;
}

/** Told of errors that are no SconceError: faults of ours. */
export type FaultLog = (what: string, error: unknown) => void;

/** Builds the methods of one service. A thrown SconceError becomes the call's status, in the service's dialect; anything else is a fault of ours. */
export class GrpcService {
  constructor(
    private readonly fullName: string,
    private readonly logFault: FaultLog,
    private readonly dialect: GrpcDialect = {},
  ) {}

  /** `dialect` replaces the service's for this method. */
  unary<Request, Response>(
    rpc: Rpc<Request, Response>,
    scope: Scope,
    handle: (request: Request, call: GrpcCall) => Response | Promise<Response>,
    dialect = this.dialect,
  ): GrpcMethod {
    return this.#method(
      rpc,
      scope,
      (call, reply) => {
        const answer = async (request: Request): Promise<void> => {
          try {
            reply.send(await handle(request, call));
            reply.end();
          } catch (error) {
            reply.fail(this.#statusOf(error, rpc.name, dialect));
          }
        };
        return { message: (request) => void answer(request), halfClosed: () => undefined };
      },
      dialect,
    );
  }

  serverStream<Request, Response>(
    rpc: Rpc<Request, Response>,
    scope: Scope,
    handle: (request: Request, call: GrpcCall, reply: GrpcReply<Response>) => void,
    dialect = this.dialect,
  ): GrpcMethod {
    return this.#method(rpc, scope, (call, reply) => ({ message: (request) => handle(request, call, reply), halfClosed: () => undefined }), dialect);
  }

  bidi<Request, Response>(rpc: Rpc<Request, Response>, scope: Scope, begin: (call: GrpcCall, reply: GrpcReply<Response>) => GrpcReceiver<Request>): GrpcMethod {
    return this.#method(rpc, scope, begin, this.dialect);
  }

  #method<Request, Response>(
    rpc: Rpc<Request, Response>,
    scope: Scope,
    begin: (call: GrpcCall, reply: GrpcReply<Response>) => GrpcReceiver<Request>,
    dialect: GrpcDialect,
  ): GrpcMethod {
    const { name, requestType, responseType, requestStream, responseStream } = rpc;
    return {
      service: this.fullName,
      name,
      scope,
      requestStream,
      responseStream,
      begin: (call, bytes) => {
        const reply = new EncodedReply(bytes, responseType);
        const receiver = begin(call, reply);
        return {
          message: (message) => {
            try {
              return receiver.message(decoded(requestType, message));
            } catch (error) {
              return bytes.fail(this.#statusOf(error, name, dialect));
            }
          },
          halfClosed: () => receiver.halfClosed(),
        };
      },
    };
  }

  #statusOf(error: unknown, name: string, dialect: GrpcDialect): GrpcStatus {
    if (error instanceof StatusError) return error.status;
    if (error instanceof UndecodableMessage) return { code: GRPC.invalidArgument, details: error.message };
    if (error instanceof SconceError && !Invariant.is(error)) return renderStatus(error, dialect);
    this.logFault(`${this.fullName}/${name} met an internal error`, error);
    return renderStatus(error instanceof SconceError ? error : Invariant({ what: 'unexpected error' }, error), dialect);
  }
}

class EncodedReply<Message> implements GrpcReply<Message> {
  constructor(
    private readonly bytes: GrpcReply<Uint8Array>,
    private readonly type: MessageType<Message>,
  ) {}

  get ended(): boolean {
    return this.bytes.ended;
  }

  send(message: Message): void {
    if (!this.bytes.ended) this.bytes.send(this.type.encode(message).finish());
  }

  end(): void {
    this.bytes.end();
  }

  fail(status: GrpcStatus): void {
    this.bytes.fail(status);
  }

  readable(): Promise<void> {
    return this.bytes.readable();
  }
}

class UndecodableMessage extends Error {}

function decoded<T>(type: MessageType<T>, bytes: Uint8Array): T {
  try {
    return type.decode(bytes);
  } catch {
    throw new UndecodableMessage('The request is no message of this method.');
  }
}
