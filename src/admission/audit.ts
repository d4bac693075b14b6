import { Invariant } from '../errors/admission.js';
import { SconceError } from '../errors/sconce-error.js';
import type { Caller } from './caller.js';

/** The result of an action that nothing was wrong with. */
export const DONE = 'done';

/** What a management call is to change. Reading is no action. */
export interface ManagementAction {
  readonly verb: 'register' | 'unregister' | 'scale' | 'set-default' | 'register-workflow' | 'unregister-workflow' | 'rotate-key';
  /** The name of the model or workflow. Of a registration the location, without user, password and query; '' where it was refused unread. Otherwise as the caller wrote it. */
  readonly subject: string;
  readonly version: string | undefined;
}

/** One line of the audit: who did what from where, and what came of it. Never a body, a token, or the secret of a URL. */
export interface AuditEvent {
  /** The id of the principal; '' where nobody was known. */
  readonly who: string;
  readonly tenant: string;
  /** The other end of the connection; '' for what the server did by itself. */
  readonly from: string;
  /** The id of the request; '' for what no request asked for. */
  readonly request: string;
  readonly verb: string;
  readonly subject: string;
  readonly version?: string | undefined;
  /** `done`, or the code of the error that the caller gets. */
  readonly result: string;
  /** What the result does not say: that a token was expired, say. */
  readonly why?: string | undefined;
  /** So many events of one kind, where one line stands for them. */
  readonly count?: number | undefined;
}

/** Told of each action once, when it has ended. Must not throw. */
export type Audit = (event: AuditEvent) => void;

/** Acts, and tells how it ended. */
export async function audited<T>(audit: Audit | undefined, caller: Caller, action: ManagementAction, act: () => Promise<T>): Promise<T> {
  let result = DONE;
  try {
    return await act();
  } catch (error) {
    result = codeOf(error);
    throw error;
  } finally {
    audit?.(auditEvent(caller, action, result));
  }
}

/** The audit's line of an action that has ended. */
export function auditEvent({ id, peer, principal }: Caller, { verb, subject, version }: ManagementAction, result: string): AuditEvent {
  return { who: principal.id, tenant: principal.tenant, from: peer, request: id, verb, subject, version, result };
}

/** The result of an action that ended with this error. */
export function codeOf(error: unknown): string {
  return error instanceof SconceError ? error.code : Invariant.code;
}
