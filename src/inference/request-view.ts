import type { Principal } from './principal.js';
import type { HeaderPair, InferencePurpose, InferenceRequest, InputParameter } from './request.js';

/** A request with other headers or inputs. A view and no copy, because `cancelled` costs something only where it is asked for. */
export class RequestView implements InferenceRequest {
  readonly headers: readonly HeaderPair[];
  readonly inputs: readonly InputParameter[];

  constructor(
    private readonly original: InferenceRequest,
    other: { readonly headers?: readonly HeaderPair[]; readonly inputs?: readonly InputParameter[] },
  ) {
    this.headers = other.headers ?? original.headers;
    this.inputs = other.inputs ?? original.inputs;
  }

  get id(): string {
    return this.original.id;
  }

  get principal(): Principal {
    return this.original.principal;
  }

  get model(): string {
    return this.original.model;
  }

  get version(): string | undefined {
    return this.original.version;
  }

  get purpose(): InferencePurpose {
    return this.original.purpose;
  }

  get receivedAtMs(): number {
    return this.original.receivedAtMs;
  }

  get deadlineAtMs(): number | undefined {
    return this.original.deadlineAtMs;
  }

  get cancelled(): AbortSignal {
    return this.original.cancelled;
  }
}
