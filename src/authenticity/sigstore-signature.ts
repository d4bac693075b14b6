import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, Verifier } from '@sigstore/verify';
import { NotAuthentic } from './not-authentic.js';

/** Who signed, as the certificate authority of the trust root attests it. */
export interface SigstoreIdentity {
  /** The subject alternative name: an address, or the URI of a workflow. */
  readonly name: string;
  readonly issuer: string;
}

/**
 * Checks a keyless signature against a trusted root of the operator's, without any network: the certificate's chain and its entry in a certificate log, the entry in the signature log with its
 * proof of inclusion, and the signature. Throws NotAuthentic.
 */
export function verifySigstore(json: unknown, trustedRoot: unknown): SigstoreIdentity {
  const bundle = read(json);
  // With a promise of inclusion the library asks for no proof.
  if (bundle.verificationMaterial.tlogEntries.some(({ inclusionProof }) => inclusionProof === undefined))
    throw new NotAuthentic('invalid', 'an entry of its log has no proof of inclusion');
  try {
    const verifier = new Verifier(toTrustMaterial(TrustedRoot.fromJSON(trustedRoot)), { tlogThreshold: 1, ctlogThreshold: 1, timestampThreshold: 1 });
    const { identity } = verifier.verify(toSignedEntity(bundle));
    const { subjectAlternativeName: name, extensions } = identity ?? {};
    if (name === undefined || extensions?.issuer === undefined) throw new Error('it names nobody');
    return { name, issuer: extensions.issuer };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new NotAuthentic('untrusted', `the trusted root does not bear it out (${why.slice(0, 200)})`, { cause: error });
  }
}

function read(json: unknown) {
  try {
    return bundleFromJSON(json);
  } catch (error) {
    throw new NotAuthentic('unreadable', 'it is no Sigstore bundle', { cause: error });
  }
}
