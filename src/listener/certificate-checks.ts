import { X509Certificate } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { readElement } from './der.js';

const MIN_RSA_BITS = 2048;
const MIN_EC_BITS = 256;
/** Encoded object ids of signatures over MD5 and SHA-1: RSA (PKCS1), ECDSA, DSA. */
const WEAK_SIGNATURES: ReadonlyMap<string, string> = new Map([
  ['2a864886f70d010104', 'MD5'],
  ['2a864886f70d010105', 'SHA-1'],
  ['2b0e03021d', 'SHA-1'],
  ['2a8648ce3d0401', 'SHA-1'],
  ['2a8648ce380403', 'SHA-1'],
]);

/** The certificate that a secure context shows; undefined where Node doesn't tell. */
export function certificateOf(options: SecureContextOptions): X509Certificate | undefined {
  const { context } = createSecureContext(options);
  const bytes: unknown = hasCertificate(context) ? context.getCertificate() : undefined;
  return bytes instanceof Uint8Array ? new X509Certificate(bytes) : undefined;
}

function hasCertificate(context: unknown): context is { getCertificate(): unknown } {
  return typeof context === 'object' && context !== null && 'getCertificate' in context && typeof context.getCertificate === 'function';
}

/** Why a certificate must not be served, in words: a short key, a signature that can be forged. */
export function weaknessOf({ publicKey, raw, issuer, subject }: X509Certificate): string | undefined {
  const { modulusLength = MIN_RSA_BITS, namedCurve } = publicKey.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS) return `its RSA key has ${modulusLength} bits; ${MIN_RSA_BITS} are the least`;
  const curveBits = Number(/\d{3}/.exec(namedCurve ?? '')?.[0] ?? MIN_EC_BITS);
  if (publicKey.asymmetricKeyType === 'ec' && curveBits < MIN_EC_BITS) return `its curve ${namedCurve} is too small`;
  const digest = WEAK_SIGNATURES.get(signatureAlgorithm(raw));
  return digest === undefined || issuer === subject ? undefined : `it is signed with ${digest}`;
}

/** The encoded object id of the algorithm that a certificate is signed with, in hex. */
function signatureAlgorithm(certificate: Buffer): string {
  const { content: parts } = readElement(certificate, 0);
  const { content: algorithm } = readElement(parts, readElement(parts, 0).after);
  return readElement(algorithm, 0).content.toString('hex');
}

/** The files among these that others than their owner may read. */
export async function readableByOthers(files: readonly string[]): Promise<readonly string[]> {
  const modes = await Promise.all(
    files.map((file) =>
      stat(file).then(
        ({ mode }) => mode,
        () => 0,
      ),
    ),
  );
  return files.filter((_, index) => ((modes[index] ?? 0) & 0o044) !== 0);
}
