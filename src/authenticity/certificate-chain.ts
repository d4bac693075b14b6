import { type KeyObject, X509Certificate as Openssl } from 'node:crypto';
import { X509Certificate as Structure } from '@sigstore/core';
import { hashOf } from './ec-key.js';
import { NotAuthentic } from './not-authentic.js';

/** A certificate, read by OpenSSL for its signature and by structure for what OpenSSL does not tell. */
export interface Certificate {
  readonly openssl: Openssl;
  readonly structure: Structure;
}

/** The signer as a chain proves it. */
export interface ChainSigner {
  readonly key: KeyObject;
  /** `email:…`, `dns:…` and `uri:…` of the subject alternative name, then `cn:…`. */
  readonly names: readonly string[];
}

const MAX_DEPTH = 8;
const MIN_RSA_BITS = 2048;
const CODE_SIGNING = '1.3.6.1.5.5.7.3.3';
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
const EXTENDED_KEY_USAGE = '2.5.29.37';
/** Extensions whose meaning is kept to here: key usage, alternative names, basic constraints, policies, extended key usage. */
const UNDERSTOOD = new Set(['2.5.29.14', '2.5.29.15', SUBJECT_ALTERNATIVE_NAME, '2.5.29.19', '2.5.29.32', '2.5.29.35', EXTENDED_KEY_USAGE]);
/** ECDSA, RSA and RSA-PSS with SHA-2, Ed25519. */
const SIGNATURES = new Set([
  ...['1.2.840.10045.4.3.2', '1.2.840.10045.4.3.3', '1.2.840.10045.4.3.4'],
  ...['1.2.840.113549.1.1.10', '1.2.840.113549.1.1.11', '1.2.840.113549.1.1.12', '1.2.840.113549.1.1.13', '1.3.101.112'],
]);
const NAME_KINDS: ReadonlyMap<number, string> = new Map([
  [1, 'email'],
  [2, 'dns'],
  [6, 'uri'],
]);

/** Reads DER, or PEM of one certificate. Throws NotAuthentic. */
export function readCertificate(bytes: Buffer | string): Certificate {
  try {
    const openssl = new Openssl(bytes);
    if (typeof bytes !== 'string' && !openssl.raw.equals(bytes)) throw new Error('there is something behind it');
    return { openssl, structure: Structure.parse(Buffer.from(openssl.raw)) };
  } catch (error) {
    throw new NotAuthentic('unreadable', 'a certificate in it cannot be read', { cause: error });
  }
}

/**
 * Follows a chain from the signer's certificate, which is its first, to one of the roots. Each certificate must be good at `at`, and each that the signature brings must be on
 * that way or be a root. Throws NotAuthentic.
 */
export function verifyChain(chain: readonly Certificate[], roots: readonly Certificate[], at: 'now' | 'signing', now: Date): ChainSigner {
  const [leaf] = chain;
  if (leaf === undefined) throw new NotAuthentic('unreadable', 'it brings no certificate');
  const moment = at === 'now' ? now : leaf.structure.notBefore;
  const path = pathToRoot([leaf], chain.slice(1), roots);
  if (path === undefined) throw new NotAuthentic('untrusted', 'its certificate leads to none of the roots');
  for (const [depth, certificate] of path.entries()) checkCertificate(certificate, depth, moment);
  const isNeeded = (one: Certificate) => [...path, ...roots].some(({ openssl }) => openssl.raw.equals(one.openssl.raw));
  if (!chain.every(isNeeded)) throw new NotAuthentic('unreadable', 'it brings a certificate that has no part in it');
  checkLeaf(leaf);
  return { key: leaf.openssl.publicKey, names: namesOf(leaf) };
}

/** Depth first: of two certificates of one issuer the first may lead nowhere. Gives the path with its root. */
function pathToRoot(path: readonly Certificate[], others: readonly Certificate[], roots: readonly Certificate[]): readonly Certificate[] | undefined {
  const last = path.at(-1);
  if (last === undefined || path.length > MAX_DEPTH) return undefined;
  const root = roots.find((one) => hasIssued(one, last));
  if (root !== undefined) return [...path, root];
  for (const next of others) {
    if (path.includes(next) || !hasIssued(next, last)) continue;
    const whole = pathToRoot([...path, next], others, roots);
    if (whole !== undefined) return whole;
  }
  return undefined;
}

function hasIssued(issuer: Certificate, subject: Certificate): boolean {
  return (
    subject.structure.issuer.equals(issuer.structure.subject) && subject.openssl.checkIssued(issuer.openssl) && subject.openssl.verify(issuer.openssl.publicKey)
  );
}

/** `depth` is 0 for the signer's own. */
function checkCertificate({ openssl, structure }: Certificate, depth: number, moment: Date): void {
  const what = depth === 0 ? "the signer's certificate" : 'a certificate of its chain';
  if (!structure.validForDate(moment)) throw new NotAuthentic('untrusted', `${what} is not valid at ${moment.toISOString()}`);
  const algorithm = structure.root.subs[1]?.subs[0]?.toOID() ?? '';
  if (!SIGNATURES.has(algorithm)) throw new NotAuthentic('untrusted', `${what} is signed by an algorithm that is not taken (${algorithm})`);
  if (openssl.publicKey.asymmetricKeyType === 'rsa' && (openssl.publicKey.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS)
    throw new NotAuthentic('untrusted', `${what} has an RSA key of less than ${MIN_RSA_BITS} bits`);
  for (const extension of structure.extensions) {
    const [oid, critical] = extension.subs;
    if (extension.subs.length === 3 && critical?.toBoolean() && !UNDERSTOOD.has(oid?.toOID() ?? ''))
      throw new NotAuthentic('untrusted', `${what} has a critical extension that is not understood (${oid?.toOID()})`);
  }
  if (depth === 0) return;
  if (!structure.isCA) throw new NotAuthentic('untrusted', 'a certificate of its chain is none of an authority');
  const most = structure.extBasicConstraints?.pathLenConstraint;
  if (most !== undefined && most < BigInt(depth - 1)) throw new NotAuthentic('untrusted', 'its chain is longer than an authority allows');
}

/** A certificate made for something else must not sign models: one for a web server, say. */
function checkLeaf({ openssl, structure }: Certificate): void {
  const usage = structure.extKeyUsage;
  const extended = structure.extension(EXTENDED_KEY_USAGE) === undefined ? undefined : openssl.keyUsage;
  const isFor = usage?.digitalSignature !== false && extended?.includes(CODE_SIGNING) !== false;
  if (!isFor || (usage === undefined && extended === undefined)) throw new NotAuthentic('untrusted', "the signer's certificate is not for signing");
  if (hashOf(openssl.publicKey) === undefined) throw new NotAuthentic('invalid', 'its key is none of P-256, P-384 and P-521');
}

function namesOf({ openssl, structure }: Certificate): readonly string[] {
  // The octets of an extension hold one value: here a sequence of names.
  const general = structure.extension(SUBJECT_ALTERNATIVE_NAME)?.valueObj.subs[0]?.subs ?? [];
  const names = general.flatMap(({ tag, value }) => {
    const kind = tag.isContextSpecific() ? NAME_KINDS.get(tag.number) : undefined;
    return kind === undefined ? [] : [`${kind}:${value.toString('latin1')}`];
  });
  const common = openssl.subject.split('\n').filter((line) => line.startsWith('CN='));
  return [...names, ...common.map((line) => `cn:${line.slice('CN='.length)}`)];
}
