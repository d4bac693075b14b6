import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { bitString, der, explicit, integer, objectId, sequence, set, utf8String } from './der.js';

const VALID_MS = 365 * 24 * 3600 * 1000;
const OID = { commonName: '550403', ecdsaWithSha256: '2a8648ce3d040302', subjectAltName: '551d11', basicConstraints: '551d13' } as const;

/**
 * A fresh P-256 key with a certificate for localhost, valid for a year, signed by itself. Clients can't verify it: it keeps an https address usable
 * without key material, as TorchServe does, and protects against nobody who can stand in the middle.
 */
export function createSelfSignedCertificate(now: Date = new Date()): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const algorithm = sequence(objectId(OID.ecdsaWithSha256));
  const name = sequence(set(sequence(objectId(OID.commonName), utf8String('localhost'))));
  const serial = randomBytes(16);
  // Positive and without a leading zero, as DER wants its integers.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const toBeSigned = sequence(
    explicit(0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    name,
    sequence(validityTime(new Date(now.getTime() - 60_000)), validityTime(new Date(now.getTime() + VALID_MS))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    explicit(3, sequence(alternativeNames(), extension(OID.basicConstraints, sequence()))),
  );
  const signature = sign('sha256', toBeSigned, privateKey);
  const certificate = sequence(toBeSigned, algorithm, bitString(signature));
  return { key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), cert: pem(certificate) };
}

function alternativeNames(): Buffer {
  const dnsName = der(0x82, Buffer.from('localhost'));
  const ipAddress = der(0x87, Buffer.from([127, 0, 0, 1]));
  return extension(OID.subjectAltName, sequence(dnsName, ipAddress));
}

function extension(oid: string, value: Buffer): Buffer {
  return sequence(objectId(oid), der(0x04, value));
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** RFC 5280: UTCTime before 2050, GeneralizedTime from then on. */
function validityTime(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050 ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}
