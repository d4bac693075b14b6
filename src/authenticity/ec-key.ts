import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { NotAuthentic } from './not-authentic.js';

/** The hash that goes with each curve, and no other does. */
const HASHES: ReadonlyMap<string | undefined, string> = new Map([
  ['prime256v1', 'sha256'],
  ['secp384r1', 'sha384'],
  ['secp521r1', 'sha512'],
]);

/** The hash of a key's signatures; undefined for a key that the format does not take: RSA, Ed25519, other curves. */
export function hashOf(key: KeyObject): string | undefined {
  return key.asymmetricKeyType === 'ec' ? HASHES.get(key.asymmetricKeyDetails?.namedCurve) : undefined;
}

/** How bundles name a key: SHA-256 of its public half's PEM text, hex. It finds a key and proves nothing. */
export function hintOf(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(half.export({ type: 'spki', format: 'pem' }))
    .digest('hex');
}

/** ECDSA in DER. */
export function signBytes(bytes: Uint8Array, key: KeyObject): Buffer {
  return sign(checkedHash(key), bytes, { key, dsaEncoding: 'der' });
}

/** Whether `signature` is one of the bytes by the key. OpenSSL refuses DER that isn't canonical, and r and s out of range. */
export function isSignedBy(bytes: Uint8Array, signature: Uint8Array, key: KeyObject): boolean {
  try {
    return verify(checkedHash(key), bytes, { key, dsaEncoding: 'der' }, signature);
  } catch (error) {
    if (error instanceof NotAuthentic) throw error;
    return false;
  }
}

function checkedHash(key: KeyObject): string {
  const hash = hashOf(key);
  if (hash === undefined) throw new NotAuthentic('invalid', 'its key is none of P-256, P-384 and P-521');
  return hash;
}
