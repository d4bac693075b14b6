import { resolve } from 'node:path';
import { Authenticity } from '../authenticity/authenticity.js';
import type { Examined, ExamineTask } from '../authenticity/examine.js';
import { readTrustPolicy } from '../authenticity/read-trust-policy.js';
import type { TrustPolicy } from '../authenticity/trust-policy.js';
import type { Settings } from '../config/settings.js';
import { ConfigInvalid } from '../errors/config.js';
import type { Log } from '../observability/observer.js';
import type { Protection } from '../observability/protections.js';
import { TaskPool, threadEntry } from '../threads/task-pool.js';

type SignatureSettings = Pick<Settings, 'signatures' | 'trustPolicy' | 'maxArchiveEntries'>;

/** Whoever names signers wants models to be theirs; whoever names none could have no model at all. */
export function signatureLevel({ signatures, trustPolicy }: Pick<Settings, 'signatures' | 'trustPolicy'>): 'off' | 'warn' | 'require' {
  return signatures ?? (trustPolicy === undefined ? 'off' : 'require');
}

/** Threads that hash models and check their signatures. */
export function createExaminingPool(): TaskPool<ExamineTask, Examined> {
  return new TaskPool<ExamineTask, Examined>(threadEntry('../authenticity/examine-thread.js', import.meta.url), 2);
}

/** undefined where signatures are not looked at. Throws ConfigInvalid for a trust policy that cannot be used, or that is missing where one is needed. */
export function createAuthenticity(
  settings: SignatureSettings,
  { cwd, pool, log }: { readonly cwd: string; readonly pool: TaskPool<ExamineTask, Examined>; readonly log: Log },
): Authenticity | undefined {
  const level = signatureLevel(settings);
  if (level === 'off') return undefined;
  return new Authenticity({ level, policy: trustPolicyOf(settings, cwd), maxFiles: settings.maxArchiveEntries, pool, log: log.named('sconce.signatures') });
}

function trustPolicyOf({ signatures, trustPolicy }: SignatureSettings, cwd: string): TrustPolicy {
  if (trustPolicy !== undefined) return readTrustPolicy(resolve(cwd, trustPolicy));
  if (signatures === 'require')
    throw ConfigInvalid({ message: 'sconce_signatures=require needs sconce_trust_policy, the file that says whose signatures count' });
  return { file: 'sconce_trust_policy', signers: [], unsigned: [] };
}

/** What the log says at start of signatures. Nobody asked for them is no fault. */
export function signatureProtection(settings: SignatureSettings): Protection {
  const level = signatureLevel(settings);
  if (level === 'require') return { name: 'signatures', holds: true, says: `only models that ${settings.trustPolicy} trusts are served` };
  if (level === 'off' && settings.trustPolicy === undefined)
    return { name: 'signatures', holds: true, says: 'not asked for; sconce_trust_policy names whose models are served' };
  const what = level === 'warn' ? 'models that nobody trusted has signed are served with a warning' : 'nobody looks at them, though there is a trust policy';
  return { name: 'signatures', holds: false, says: `${what}; sconce_signatures=require refuses them` };
}
