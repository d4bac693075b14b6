import { TokenRotationRefused } from '../errors/admission.js';
import { type Audit, auditEvent, codeOf, DONE } from './audit.js';
import type { Caller } from './caller.js';

/** Renews one of TorchServe's keys. Throws TokenRotationRefused for a type that there is not, and KeyFileNotWritten. */
type RenewKey = (type: string | undefined) => void;

/** The door inwards to the keys themselves. */
export class KeyRotation {
  constructor(
    private readonly renew: RenewKey,
    private readonly audit?: Audit,
  ) {}

  /** `type`: `management` or `inference`. Throws TokenRotationRefused, KeyFileNotWritten. */
  rotate(caller: Caller, type: string | undefined): void {
    let result: string = DONE;
    try {
      if (!caller.principal.has('token-admin')) throw TokenRotationRefused({});
      this.renew(type);
    } catch (error) {
      result = codeOf(error);
      throw error;
    } finally {
      this.audit?.(auditEvent(caller, { verb: 'rotate-key', subject: type ?? '', version: undefined }, result));
    }
  }
}
