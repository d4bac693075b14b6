import { Invariant } from '../errors/admission.js';
import { SconceError } from '../errors/sconce-error.js';
import type { Principal } from '../inference/principal.js';

/** How a call ends: https://grpc.io/docs/guides/status-codes/ */
export interface GrpcStatus {
  readonly code: number;
  readonly details: string;
  /** The outcome word, which a client finds in the trailer `x-sconce-reason`. */
  readonly reason?: string | undefined;
}

/** Status numbers that have a name in this code. */
export const GRPC = {
  ok: 0,
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** Where a service words an error otherwise than the rest. */
export interface GrpcDialect {
  /** The status where it isn't the error's own. */
  code?(error: SconceError): number | undefined;
  text?(error: SconceError): string | undefined;
  /** The second line where it isn't the class name of TorchServe's error. */
  tag?(error: SconceError): string | undefined;
}

/** Thrown where the request decides how an error is worded: the status as it shall be. */
export class StatusError extends Error {
  constructor(
    readonly status: GrpcStatus,
    cause: unknown,
  ) {
    super(status.details, { cause });
  }
}

/** What a client is told of a fault of ours: the details are in the server log. */
const FAULT_OF_OURS = 'Internal server error.';
/** Clients refuse trailers beyond 8 KiB, and percent-encoding makes three bytes of one. */
const MAX_DETAILS_BYTES = 2048;

const PACKAGES: Readonly<Record<string, string>> = {
  DownloadArchiveException: 'org.pytorch.serve.archive',
  InvalidModelException: 'org.pytorch.serve.archive.model',
  ModelException: 'org.pytorch.serve.archive.model',
  ModelNotFoundException: 'org.pytorch.serve.archive.model',
  ModelVersionNotFoundException: 'org.pytorch.serve.archive.model',
  WorkerInitializationException: 'org.pytorch.serve.wlm',
};

/** The full name of a TorchServe exception. */
export function javaClassOf(type: string): string {
  return `${PACKAGES[type] ?? 'org.pytorch.serve.http'}.${type}`;
}

/** The gRPC form of an error: what it says, and on a second line TorchServe's name of it. */
export function renderStatus(error: SconceError, dialect: GrpcDialect = {}): GrpcStatus {
  const text = dialect.text?.(error) ?? (error.code === Invariant.code ? FAULT_OF_OURS : error.message);
  const tag = dialect.tag?.(error) ?? javaClassOf(error.rendering.type);
  return { code: dialect.code?.(error) ?? error.rendering.grpc, details: `${shortened(text)}\n${tag}`, reason: error.reason };
}

/** Who makes a call, or why it may not be made. */
export type GrpcAdmission = { readonly principal: Principal } | { readonly refusal: GrpcStatus };

/** Runs `authorize`. A refusal is in TorchServe's words, on one line. Throws, or gives INTERNAL where it had to wait, for what is no refusal. */
export function admissionOf(authorize: () => Principal | Promise<Principal>): GrpcAdmission | Promise<GrpcAdmission> {
  try {
    const found = authorize();
    if (!(found instanceof Promise)) return { principal: found };
    return found.then(
      (principal) => ({ principal }),
      (error: unknown) => refused(error) ?? { refusal: { code: GRPC.internal, details: FAULT_OF_OURS } },
    );
  } catch (error) {
    const refusal = refused(error);
    if (refusal === undefined) throw error;
    return refusal;
  }
}

function refused(error: unknown): { readonly refusal: GrpcStatus } | undefined {
  if (!(error instanceof SconceError) || error.code === Invariant.code) return undefined;
  return { refusal: { code: error.rendering.grpc, details: error.message } };
}

/** The two lines of a status apart. */
export function linesOf({ details }: GrpcStatus): readonly [text: string, tag: string] {
  const at = details.lastIndexOf('\n');
  return [details.slice(0, at), details.slice(at + 1)];
}

/** Bounded, and without the half characters that no trailer can carry. */
function shortened(text: string): string {
  const bytes = Buffer.from(text);
  return bytes.length <= MAX_DETAILS_BYTES
    ? bytes.toString()
    : `${bytes
        .subarray(0, MAX_DETAILS_BYTES)
        .toString()
        .replace(/\ufffd+$/, '')}…`;
}
