import { createPublicKey } from 'node:crypto';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toTrustMaterial } from '@sigstore/verify';
import { readCertificate } from './certificate-chain.js';
import { hashOf } from './ec-key.js';

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** An EC public key's PEM. Throws an Error with what is wrong, for the operator. */
export function checkedKey(pem: string): string {
  if (pem.includes('PRIVATE KEY')) throw new Error('its key is a private key, which belongs to the signer alone; name the public one');
  const key = publicKey(pem);
  if (hashOf(key) === undefined) throw new Error('its key must be an EC key on P-256, P-384 or P-521');
  return pem;
}

function publicKey(pem: string) {
  try {
    return createPublicKey(pem);
  } catch (error) {
    throw new Error('its key is no PEM of a public key', { cause: error });
  }
}

/** The PEM of each certificate of a file; throws as above. */
export function checkedRoots(pem: string): readonly string[] {
  const roots = pem.match(PEM) ?? [];
  if (roots.length === 0) throw new Error('its roots hold no PEM of a certificate');
  for (const root of roots) readCertificate(root);
  return roots;
}

/** The JSON of a Sigstore trust root that has all that a check needs; throws as above. */
export function checkedTrustedRoot(json: string): string {
  try {
    const root = TrustedRoot.fromJSON(JSON.parse(json));
    toTrustMaterial(root);
    if (root.certificateAuthorities.length > 0 && root.tlogs.length > 0 && root.ctlogs.length > 0) return json;
  } catch (error) {
    throw new Error('its trustedRoot is no trusted_root.json', { cause: error });
  }
  throw new Error('its trustedRoot names no certificate authority, no certificate log or no signature log');
}
