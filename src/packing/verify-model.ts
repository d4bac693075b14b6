import { type Examined, examine } from '../authenticity/examine.js';
import { judge, type ServedAs } from '../authenticity/judge.js';
import { NotAuthentic, type RefusalWord } from '../authenticity/not-authentic.js';
import type { TrustPolicy } from '../authenticity/trust-policy.js';
import type { ModelSignature } from '../inference/model-signature.js';
import type { UnpackLimits } from '../models/unpack/unpack-limits.js';
import { openModel } from './opened-model.js';

export interface VerifyWish {
  /** Absolute. */
  readonly path: string;
  readonly policy: TrustPolicy;
  /** The signature's file; absolute. Beside the model, or in it, unless given. */
  readonly signature: string | undefined;
  /** As what it would be served, where that isn't what its manifest says. */
  readonly name: string | undefined;
  readonly version: string | undefined;
}

export interface Verdict extends ServedAs {
  /** SHA-256 that a `pin` of the trust policy names. */
  readonly sha256: string | undefined;
  /** undefined where it is refused. */
  readonly signature: ModelSignature | undefined;
  readonly refused: { readonly word: RefusalWord; readonly why: string } | undefined;
}

/** Says of a model on disk what a server with this policy would say at the level `require`. Rejects with SigningRefused for what is no model. */
export async function verifyTarget({ path, policy, signature, name, version }: VerifyWish, limits: UnpackLimits): Promise<Verdict> {
  const model = await openModel(path, limits);
  try {
    const { kind, folder, archive } = model;
    const exhibit = { kind, folder, archive, beside: signature ?? `${path}.sig` };
    const examined = await examine({ exhibit, signers: policy.signers, maxFiles: limits.maxEntries });
    return { ...verdictOn(examined, policy, { name: name ?? model.name, version: version ?? model.version }), sha256: examined.sha256 };
  } finally {
    await model.close();
  }
}

function verdictOn(examined: Examined, policy: TrustPolicy, as: ServedAs): Omit<Verdict, 'sha256'> {
  try {
    return { ...as, signature: judge(examined, policy, as), refused: undefined };
  } catch (error) {
    if (!(error instanceof NotAuthentic)) throw error;
    return { ...as, signature: undefined, refused: { word: error.word, why: error.message } };
  }
}
