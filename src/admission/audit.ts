import { Invariant } from '../errors/admission.js';
import { SconceError } from '../errors/sconce-error.js';

/** The result of an action that nothing was wrong with. */
export const DONE = 'done';

/** What a management call is to change. Reading is no action. */
export interface ManagementAction {
  readonly verb: 'register' | 'unregister' | 'scale' | 'set-default' | 'register-workflow' | 'unregister-workflow';
  /** The name of the model or workflow. Of a registration the location, without user, password and query; '' where it was refused unread. Otherwise as the caller wrote it. */
  readonly subject: string;
  readonly version: string | undefined;
}

/** Told of each action once, when it has ended: `done`, or the code of the error that the caller gets. Must not throw. */
export type Audit = (action: ManagementAction, result: string) => void;

/** Acts, and tells how it ended. */
export async function audited<T>(audit: Audit | undefined, action: ManagementAction, act: () => Promise<T>): Promise<T> {
  let result = DONE;
  try {
    return await act();
  } catch (error) {
    result = codeOf(error);
    throw error;
  } finally {
    audit?.(action, result);
  }
}

/** The result of an action that ended with this error. */
export function codeOf(error: unknown): string {
  return error instanceof SconceError ? error.code : Invariant.code;
}

/** A location may carry a password or a signature; neither belongs in a record of who did what. */
export function withoutSecrets(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1').replace(/[?#].*$/s, '');
}
