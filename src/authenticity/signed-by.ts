import { createPublicKey } from 'node:crypto';
import { dsse } from '@sigstore/core';
import { type Bundle, PAYLOAD_TYPE } from './bundle.js';
import { readCertificate, verifyChain } from './certificate-chain.js';
import { hintOf, isSignedBy } from './ec-key.js';
import { fits, fitsAny } from './name-pattern.js';
import { NotAuthentic } from './not-authentic.js';
import { verifySigstore } from './sigstore-signature.js';
import type { Means, TrustedSigner } from './trust-policy.js';

/** A trusted signer whose signature a bundle has, and the name that its certificate gives, if it has one. */
export interface SignedBy {
  readonly signer: string;
  readonly identity: string | undefined;
}

/** Those of the signers by whom the bundle is signed. What the bundle says of its signer only tells where to look. Throws NotAuthentic when there are none, with the nearest reason. */
export function signedBy(bundle: Bundle, signers: readonly TrustedSigner[], now: Date): readonly SignedBy[] {
  const found: SignedBy[] = [];
  let nearest: NotAuthentic | undefined;
  for (const { name: signer, means } of signers) {
    try {
      const identity = verified(bundle, means, now);
      if (identity !== false) found.push({ signer, identity });
    } catch (error) {
      if (!(error instanceof NotAuthentic)) throw error;
      nearest = new NotAuthentic(error.word, `${error.message} (signer ${signer})`, { cause: error });
    }
  }
  if (found.length > 0) return found;
  throw nearest ?? new NotAuthentic('untrusted', unknownSigner(bundle));
}

/** The identity, undefined for a bare key; false where the signature is of another kind, or by another key. Throws NotAuthentic. */
function verified(bundle: Bundle, means: Means, now: Date): string | undefined | false {
  const { material } = bundle;
  switch (means.kind) {
    case 'key': {
      if (material.kind !== 'key') return false;
      const key = createPublicKey(means.pem);
      if (material.hint !== undefined && material.hint !== hintOf(key)) return false;
      if (isSignedBy(signedBytes(bundle), bundle.signature, key)) return undefined;
      // Without a hint it may be another's.
      if (material.hint === undefined) return false;
      throw new NotAuthentic('invalid', 'it is not the signature of these bytes');
    }
    case 'certificates': {
      if (material.kind !== 'certificates') return false;
      const roots = means.roots.map((pem) => readCertificate(pem));
      const { key, names } = verifyChain(material.chain.map(readCertificate), roots, means.acceptExpired ? 'signing' : 'now', now);
      if (!isSignedBy(signedBytes(bundle), bundle.signature, key)) throw new NotAuthentic('invalid', 'it is not the signature of these bytes');
      const name = names.find((one) => fitsAny(one, means.names));
      if (name === undefined) throw new NotAuthentic('untrusted', `its certificate is for ${names.join(', ').slice(0, 200) || 'nobody'}`);
      return name;
    }
    case 'sigstore': {
      if (material.kind !== 'sigstore') return false;
      const { name, issuer } = verifySigstore(bundle.json, JSON.parse(means.trustedRoot));
      if (!means.identities.some((one) => fits(name, one.name) && fits(issuer, one.issuer)))
        throw new NotAuthentic('untrusted', `it was signed by ${name.slice(0, 200)} of ${issuer.slice(0, 200)}`);
      return `${name} (${issuer})`;
    }
    case 'pin':
      return false;
  }
}

/** As they were received: nothing is written anew before it is checked. */
export function signedBytes({ payload }: Pick<Bundle, 'payload'>): Buffer {
  return dsse.preAuthEncoding(PAYLOAD_TYPE, payload);
}

function unknownSigner({ material }: Bundle): string {
  if (material.kind === 'sigstore') return 'it is a Sigstore signature, and no trusted root says whether it is good';
  if (material.kind === 'certificates') return 'it is signed by a certificate, and no root is trusted';
  return material.hint === undefined ? 'it is by none of the trusted keys' : `it is by the key ${material.hint.slice(0, 16)}, which is not trusted`;
}
