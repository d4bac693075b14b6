import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readCertificate } from '../authenticity/certificate-chain.js';
import { hashOf } from '../authenticity/ec-key.js';
import type { Credentials } from '../authenticity/sign.js';
import { SigningRefused } from '../errors/signature.js';

const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

export interface CredentialFiles {
  /** PEM of an EC private key. */
  readonly key: string;
  /** PEM of the signer's certificate; what follows it in the file belongs to its chain. */
  readonly certificate: string | undefined;
  /** PEM of further certificates, up to the root or without it. */
  readonly chain: readonly string[];
  readonly password: string | undefined;
}

/** Reads what a signer signs with, and checks that it fits together. Throws SigningRefused. */
export function signingCredentials({ key: keyFile, certificate, chain, password }: CredentialFiles): Credentials {
  const key = privateKey(keyFile, password);
  if (certificate === undefined) {
    if (chain.length > 0) throw SigningRefused({ message: 'A chain without a certificate: give the signer’s own with --cert.' });
    return { key, chain: [] };
  }
  const pems = [certificate, ...chain].flatMap((file) => readFileSync(file, 'utf8').match(PEM) ?? []);
  const [own] = pems;
  if (own === undefined) throw SigningRefused({ message: `${certificate} holds no PEM of a certificate.` });
  const certificates = pems.map((pem) => readCertificate(pem).openssl);
  if (certificates[0]?.publicKey.equals(createPublicKey(key)) !== true)
    throw SigningRefused({ message: `The first certificate of ${certificate} is not for the key in ${keyFile}.` });
  return { key, chain: [...new Map(certificates.map(({ raw }) => [raw.toString('hex'), raw])).values()] };
}

function privateKey(file: string, password: string | undefined): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: readFileSync(file, 'utf8'), ...(password === undefined ? {} : { passphrase: password }) });
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw error;
    const cure = password === undefined ? '; the password of an encrypted one comes from SCONCE_SIGN_PASSWORD' : '';
    throw SigningRefused({ message: `${file} is no PEM of a private key that can be read${cure}.` }, error);
  }
  if (hashOf(key) === undefined)
    throw SigningRefused({ message: `The key in ${file} must be an EC key on P-256, P-384 or P-521; \`sconce keygen\` makes one.` });
  return key;
}
