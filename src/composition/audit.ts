import { join, resolve } from 'node:path';
import type { Audit } from '../admission/audit.js';
import { AuditLog } from '../admission/audit-log.js';
import type { Settings } from '../config/settings.js';
import type { Log } from '../observability/observer.js';
import type { Protection } from '../observability/protections.js';

/** The file of the audit; undefined where it is off. */
export function auditPathOf(
  { auditLog }: Pick<Settings, 'auditLog'>,
  { cwd, logFolder }: { readonly cwd: string; readonly logFolder: string },
): string | undefined {
  if (auditLog === 'off') return undefined;
  return auditLog === undefined || auditLog === '' ? join(logFolder, 'sconce_audit.log') : resolve(cwd, auditLog);
}

export interface AuditPart {
  /** undefined: it is off. */
  readonly audit: Audit | undefined;
  readonly protection: Protection;
  close(): void;
}

/** Opens the audit, and has it say when the server started and when it ended. Throws AuditLogUnusable. */
export function openAudit(path: string | undefined, log: Log): AuditPart {
  if (path === undefined)
    return {
      audit: undefined,
      protection: { name: 'audit', holds: false, says: 'nobody will know who changed what; unset sconce_audit_log' },
      close: () => {},
    };
  const auditLog = new AuditLog({ path, log });
  const ofServer = (verb: string): void =>
    auditLog.append({ who: 'server', tenant: '', from: '', request: '', verb, subject: `pid ${process.pid}`, result: 'done' });
  ofServer('start');
  return {
    audit: auditLog.append,
    protection: { name: 'audit', holds: true, says: `every change and every refusal is written to ${path}` },
    close: () => {
      ofServer('stop');
      auditLog.close();
    },
  };
}
