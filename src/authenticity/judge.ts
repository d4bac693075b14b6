import type { ModelSignature } from '../inference/model-signature.js';
import type { Examined, GoodSignature } from './examine.js';
import { fits, fitsAny } from './name-pattern.js';
import { NotAuthentic } from './not-authentic.js';
import type { SignedBy } from './signed-by.js';
import { printable } from './statement.js';
import type { TrustedSigner, TrustPolicy } from './trust-policy.js';
import { isAtLeast } from './version-order.js';

/** As what a model would be served. */
export interface ServedAs {
  readonly name: string;
  readonly version: string;
}

/** Whether the policy lets the model be served as that: a good signature of another model, or of an older version, is none of this one. Throws NotAuthentic with the nearest reason. */
export function judge({ sha256, good, problem }: Examined, policy: TrustPolicy, as: ServedAs): ModelSignature {
  let nearest: NotAuthentic | undefined;
  const tried = (attempt: () => ModelSignature): ModelSignature | undefined => {
    try {
      return attempt();
    } catch (error) {
      if (!(error instanceof NotAuthentic)) throw error;
      nearest ??= error;
      return undefined;
    }
  };
  for (const signature of good) {
    for (const by of signature.by) {
      const signer = policy.signers.find(({ name }) => name === by.signer);
      const status = signer === undefined ? undefined : tried(() => bySigner(signature, by, { signer, sha256, as, file: policy.file }));
      if (status !== undefined) return status;
    }
  }
  for (const signer of policy.signers.filter(({ means }) => means.kind === 'pin')) {
    if (sha256 === undefined || !signer.pins.includes(sha256)) continue;
    const status = tried(() => {
      assertNamed(signer, as);
      assertNew(signer, as);
      return { state: 'pinned', signer: signer.name, identity: undefined, subject: undefined, sha256, why: undefined };
    });
    if (status !== undefined) return status;
  }
  const { word, message } = nearest ?? problem ?? { word: 'missing' as const, message: 'it has no signature' };
  if (fitsAny(as.name, policy.unsigned)) return { state: 'permitted', signer: undefined, identity: undefined, subject: undefined, sha256, why: message };
  throw new NotAuthentic(word, message);
}

interface Case {
  readonly signer: TrustedSigner;
  readonly sha256: string | undefined;
  readonly as: ServedAs;
  /** Of the policy. */
  readonly file: string;
}

function bySigner({ subject }: GoodSignature, { identity }: SignedBy, { signer, sha256, as, file }: Case): ModelSignature {
  assertNamed(signer, as);
  const isMeant = signer.subjects === undefined ? isSubject(subject, as) : fitsAny(subject, signer.subjects);
  if (!isMeant) {
    const cure = `list it as one of the subjects of signer ${signer.name} in ${file} to permit that`;
    throw new NotAuthentic('other_model', `it is a signature of ${printable(subject)}, and the model would be served as ${as.name}@${as.version}; ${cure}`);
  }
  assertNew(signer, as);
  if (signer.pins.length > 0 && (sha256 === undefined || !signer.pins.includes(sha256)))
    throw new NotAuthentic('untrusted', `signer ${signer.name} is trusted with pinned models alone, and this is ${sha256 ?? 'none'}`);
  return { state: 'verified', signer: signer.name, identity, subject, sha256, why: undefined };
}

function assertNamed({ name: signer, models }: TrustedSigner, { name }: ServedAs): void {
  if (!fitsAny(name, models)) throw new NotAuthentic('untrusted', `signer ${signer} is not trusted with models called ${name}`);
}

function assertNew({ name: signer, minimumVersions }: TrustedSigner, { name, version }: ServedAs): void {
  for (const [pattern, minimum] of minimumVersions) {
    if (!fits(name, pattern)) continue;
    const isNew = isAtLeast(version, minimum);
    if (isNew === undefined)
      throw new NotAuthentic('old_version', `its version ${version} cannot be compared with ${minimum}, the oldest that is taken of signer ${signer}`);
    if (!isNew) throw new NotAuthentic('old_version', `its version is ${version}, and ${minimum} is the oldest that is taken of signer ${signer}`);
  }
}

/** Sconce signs `name@version`; other tools sign the name of the file or folder, which binds no version, and of which the server makes a name without odd characters. */
function isSubject(subject: string, { name, version }: ServedAs): boolean {
  const bare = subject.replace(/\.(?:mar|war|model|tar\.gz|tgz|onnx|pt)$/, '');
  return [subject, bare].some((one) => one === `${name}@${version}` || one === name || one.replace(/\W/g, '_') === name);
}
