import { Metadata, ServerInterceptingCall, type ServerInterceptingCallInterface } from '@grpc/grpc-js';
import type { GrpcStatus } from '../api/grpc-status.js';

/** A call that is refused before anything of it is looked at. */
export class RefusedCall extends ServerInterceptingCall {
  constructor(
    private readonly transport: ServerInterceptingCallInterface,
    private readonly status: GrpcStatus,
  ) {
    super(transport);
  }

  /** grpc-js calls this with a listener of its own, which would call a handler. */
  override start(): void {
    const { code, details } = this.status;
    this.transport.start({
      onReceiveMetadata: () => this.transport.sendStatus({ code, details, metadata: new Metadata() }),
      onReceiveMessage: () => undefined,
      onReceiveHalfClose: () => undefined,
      onCancel: () => undefined,
    });
  }
}
