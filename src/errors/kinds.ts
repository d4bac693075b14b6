/** The closed list of what can go wrong, and how each kind looks on the wire unless an error says otherwise. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'not-allowed'
  | 'conflict'
  | 'timed-out'
  | 'too-large'
  | 'overloaded'
  | 'throttled'
  | 'expired'
  | 'cancelled'
  | 'model-failed'
  | 'out-of-memory'
  | 'unavailable'
  | 'unsupported'
  | 'bug';

export interface Rendering {
  /** HTTP status code. */
  readonly http: number;
  /** gRPC status number. */
  readonly grpc: number;
  /** TorchServe's exception class name, the `type` of its JSON error body. */
  readonly type: string;
}

/** gRPC numbers: https://grpc.io/docs/guides/status-codes/ */
export const KINDS: Readonly<Record<ErrorKind, Rendering>> = {
  invalid: { http: 400, grpc: 3, type: 'BadRequestException' },
  unauthenticated: { http: 400, grpc: 7, type: 'InvalidKeyException' },
  forbidden: { http: 403, grpc: 7, type: 'IllegalArgumentException' },
  'not-found': { http: 404, grpc: 5, type: 'ResourceNotFoundException' },
  'not-allowed': { http: 405, grpc: 12, type: 'MethodNotAllowedException' },
  conflict: { http: 409, grpc: 10, type: 'ConflictStatusException' },
  'timed-out': { http: 408, grpc: 4, type: 'RequestTimeoutException' },
  'too-large': { http: 413, grpc: 8, type: 'BadRequestException' },
  overloaded: { http: 503, grpc: 8, type: 'ServiceUnavailableException' },
  throttled: { http: 429, grpc: 8, type: 'TooManyRequestsException' },
  expired: { http: 504, grpc: 4, type: 'RequestTimeoutException' },
  cancelled: { http: 499, grpc: 1, type: 'InternalServerException' },
  'model-failed': { http: 503, grpc: 14, type: 'InternalServerException' },
  'out-of-memory': { http: 507, grpc: 13, type: 'InternalServerException' },
  unavailable: { http: 503, grpc: 14, type: 'ServiceUnavailableException' },
  unsupported: { http: 501, grpc: 12, type: 'InternalServerException' },
  bug: { http: 500, grpc: 13, type: 'InternalServerException' },
};
