import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ConfigInvalid } from '../errors/config.js';
import { isJavaKeyStore, readJavaKeyStore } from './java-key-store.js';
import { createSelfSignedCertificate } from './self-signed-certificate.js';
import { SECURE_DEFAULTS } from './tls-server.js';

/** Key and certificates in the shape that Node's TLS takes. */
export type TlsMaterial = { readonly key: Buffer | string; readonly cert: Buffer | string } | { readonly pfx: Buffer; readonly passphrase: string };

/** Where the key material lies. A key store beats key and certificate files; nothing at all gives a self-signed certificate. */
export interface TlsSources {
  readonly keystore?: string | undefined;
  readonly keystorePass: string;
  readonly keystoreType: string;
  readonly privateKeyFile?: string | undefined;
  readonly certificateFile?: string | undefined;
}

/** OpenSSL's words for what its security level refuses, and ours. */
const WEAKNESSES: Readonly<Record<string, string>> = {
  'key too small': 'its key is too short: an RSA key has 2048 bits at least',
  'md too weak': 'it is signed over SHA-1 or MD5, which can be forged',
};

/** Reads and checks key material: PEM (PKCS1, PKCS8 or EC keys), PKCS12 or JKS. Rejects with ConfigInvalid, naming the file; so too for keys and signatures that are too weak. */
export async function loadTlsMaterial(sources: TlsSources): Promise<TlsMaterial> {
  const { keystore, keystorePass, keystoreType, privateKeyFile, certificateFile } = sources;
  if (keystore !== undefined) {
    if (!['PKCS12', 'JKS'].includes(keystoreType.toUpperCase())) {
      throw ConfigInvalid({
        message: `keystore_type ${keystoreType} is not supported, only PKCS12 and JKS. Convert with: keytool -importkeystore -deststoretype pkcs12`,
      });
    }
    const bytes = await readKeyFile('keystore', keystore);
    // As Java has it, what the file is decides, not what it is called.
    return checked(() => (isJavaKeyStore(bytes) ? readJavaKeyStore(bytes, keystorePass) : { pfx: bytes, passphrase: keystorePass }), `keystore ${keystore}`);
  }
  if (privateKeyFile !== undefined && certificateFile !== undefined) {
    const key = await readKeyFile('private_key_file', privateKeyFile);
    const cert = await readKeyFile('certificate_file', certificateFile);
    return checked(() => ({ key, cert }), `private_key_file ${privateKeyFile} with certificate_file ${certificateFile}`);
  }
  if (privateKeyFile !== undefined || certificateFile !== undefined) {
    throw ConfigInvalid({ message: 'private_key_file and certificate_file must be given together' });
  }
  return createSelfSignedCertificate();
}

async function readKeyFile(setting: string, path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw ConfigInvalid({ message: `${setting} ${path} cannot be read` }, error);
  }
}

function checked(read: () => TlsMaterial, what: string): TlsMaterial {
  let material: TlsMaterial;
  let matches = true;
  try {
    material = read();
    createSecureContext({ ...SECURE_DEFAULTS, ...material });
    // OpenSSL keeps a slot per kind of key, so that an EC key beside an RSA certificate passes above.
    if ('key' in material) matches = new X509Certificate(material.cert).checkPrivateKey(createPrivateKey(material.key));
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    const why = Object.entries(WEAKNESSES).find(([words]) => said.includes(words))?.[1] ?? said;
    throw ConfigInvalid({ message: `${what} cannot be used: ${why}` }, error);
  }
  if (!matches) throw ConfigInvalid({ message: `${what} cannot be used: key and certificate do not match` });
  return material;
}
