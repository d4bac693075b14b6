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

/** The status that an error gives. A fault of ours in `where` is logged, and not told. */
export function statusOf(error: unknown, where: string, logFault: FaultLog, dialect: GrpcDialect): GrpcStatus {
  if (error instanceof StatusError) return error.status;
  const known = error instanceof SconceError ? error : Invariant({ what: 'unexpected error' }, error);
  if (Invariant.is(known)) logFault(`${where} met an internal error`, error);
  return renderStatus(known, dialect);
}

/** Builds the methods of one service. A thrown SconceError becomes the call's status, in the service's dialect; anything else is a fault of ours. */
export class GrpcService {
  constructor(
    private readonly fullName: string,
    private readonly logFault: FaultLog,
    private readonly dialect: GrpcDialect = {},
  ) {}

  unary<Request, Response>(rpc: Rpc<Request, Response>, scope: Scope, handle: (request: Request, call: GrpcCall) => Response | Promise<Response>): GrpcMethod {
    return this.bidi(rpc, scope, (call, reply) => ({
      message: async (request) => {
        reply.send(await handle(request, call));
        reply.end();
      },
      halfClosed: () => undefined,
    }));
  }

  serverStream<Request, Response>(
    rpc: Rpc<Request, Response>,
    scope: Scope,
    handle: (request: Request, call: GrpcCall, reply: GrpcReply<Response>) => void | Promise<void>,
  ): GrpcMethod {
    return this.bidi(rpc, scope, (call, reply) => ({ message: (request) => handle(request, call, reply), halfClosed: () => undefined }));
  }

  /** What the receiver throws or rejects with ends the call. */
  bidi<Request, Response>(rpc: Rpc<Request, Response>, scope: Scope, begin: (call: GrpcCall, reply: GrpcReply<Response>) => GrpcReceiver<Request>): GrpcMethod {
    const { name, requestType, responseType, requestStream, responseStream } = rpc;
    return {
      service: this.fullName,
      name,
      scope,
      requestStream,
      responseStream,
      begin: (call, bytes) => {
        const receiver = begin(call, new EncodedReply(bytes, responseType));
        return {
          message: async (message) => {
            try {
              await receiver.message(decoded(requestType, message));
            } catch (error) {
              bytes.fail(statusOf(error, `${this.fullName}/${name}`, this.logFault, this.dialect));
            }
          },
          halfClosed: () => receiver.halfClosed(),
        };
      },
    };
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

function decoded<T>(type: MessageType<T>, bytes: Uint8Array): T {
  try {
    return type.decode(bytes);
  } catch (error) {
    throw new StatusError({ code: GRPC.invalidArgument, details: 'The request is no message of this method.' }, error);
  }
}
