import { type ErrorKind, KINDS, type Rendering } from './kinds.js';

/** The one base of all errors that may reach a client. `cause` is for the log only. */
export class SconceError extends Error {
  constructor(
    /** Stable, never reused: `QUEUE_FULL`. */
    readonly code: string,
    readonly kind: ErrorKind,
    message: string,
    readonly rendering: Rendering,
    /** The stable word of the outcome a client sees in `x-sconce-reason`, where the error ends an accepted request. */
    readonly reason: string | undefined,
    cause?: unknown,
    /** Seconds after which it makes sense to ask again, where that is known. */
    readonly retryAfterS?: number,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'SconceError';
  }
}

interface ErrorSpec<Facts> {
  readonly kind: ErrorKind;
  readonly says: (facts: Facts) => string;
  /** TorchServe's exception name where it differs from the kind's. */
  readonly type?: string;
  /** HTTP status where it differs from the kind's, or where the facts decide. */
  readonly http?: number | ((facts: Facts) => number);
  /** gRPC status number where it differs from the kind's, or where the facts decide. */
  readonly grpc?: number | ((facts: Facts) => number);
  readonly reason?: string | ((facts: Facts) => string);
  readonly retryAfterS?: (facts: Facts) => number;
}

export interface ErrorDefinition<Facts> {
  readonly code: string;
  (facts: Facts, cause?: unknown): SconceError;
  /** Whether `error` was made by this definition. */
  is(error: unknown): error is SconceError;
}

/** Declares an error beside its domain. The definition is called with the facts and gives the error value to throw or hand on. */
export function defineError<Facts = Record<string, never>>(code: string, spec: ErrorSpec<Facts>): ErrorDefinition<Facts> {
  const make = (facts: Facts, cause?: unknown): SconceError => {
    const byKind = KINDS[spec.kind];
    const rendering: Rendering = {
      http: typeof spec.http === 'function' ? spec.http(facts) : (spec.http ?? byKind.http),
      grpc: typeof spec.grpc === 'function' ? spec.grpc(facts) : (spec.grpc ?? byKind.grpc),
      type: spec.type ?? byKind.type,
    };
    const reason = typeof spec.reason === 'function' ? spec.reason(facts) : spec.reason;
    return new SconceError(code, spec.kind, spec.says(facts), rendering, reason, cause, spec.retryAfterS?.(facts));
  };
  const is = (error: unknown): error is SconceError => error instanceof SconceError && error.code === code;
  return Object.assign(make, { code, is });
}
