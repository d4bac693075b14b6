import { createHash, createPrivateKey, timingSafeEqual, X509Certificate } from 'node:crypto';

/** The private key of a key store and its certificate chain, both PEM. */
export interface KeyAndChain {
  readonly key: string;
  readonly cert: string;
}

const MAGIC = 0xfeedfeed;
const PRIVATE_KEY = 1;
const TRUSTED_CERTIFICATE = 2;
const DIGEST_BYTES = 20;
/** The words that Java's digest of a key store is salted with. */
const WHITENER = 'Mighty Aphrodite';

/** Whether bytes are a key store in Java's own format. `keytool` has called PKCS12 files JKS too since Java 8, and opens either under both names. */
export function isJavaKeyStore(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32BE() === MAGIC;
}

/** Opens a JKS key store and gives its first private key; its password is the store's. Throws Error that says what is wrong with the store. */
export function readJavaKeyStore(bytes: Buffer, password: string): KeyAndChain {
  const secret = Buffer.from(password, 'utf16le').swap16();
  const end = bytes.length - DIGEST_BYTES;
  if (end < 0 || !matches(sha1(secret, Buffer.from(WHITENER), bytes.subarray(0, end)), bytes.subarray(end)))
    throw new Error('the password is wrong, or the file is damaged');
  const reader = new Reader(bytes.subarray(0, end));
  reader.u32(); // The magic number.
  const version = reader.u32();
  if (version !== 1 && version !== 2) throw new Error(`version ${version} of the format is unknown`);
  const certificate = (): Buffer => {
    if (version === 2) reader.text(); // `X.509`, which is all there is.
    return reader.bytes(reader.u32());
  };
  for (let left = reader.u32(); left > 0; left -= 1) {
    const tag = reader.u32();
    reader.text(); // The alias.
    reader.bytes(8); // When it was made.
    if (tag === TRUSTED_CERTIFICATE) certificate();
    else if (tag === PRIVATE_KEY) {
      const key = unprotect(reader.bytes(reader.u32()), secret);
      const chain: Buffer[] = [];
      for (let certificates = reader.u32(); certificates > 0; certificates -= 1) chain.push(certificate());
      return {
        key: createPrivateKey({ key, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }).toString(),
        cert: chain.map((der) => new X509Certificate(der).toString()).join(''),
      };
    } else throw new Error(`it holds an entry of kind ${tag}, which is unknown`);
  }
  throw new Error('it holds no private key');
}

/** Undoes Java's protection of a key: salt, key xor a chain of digests, digest. Gives the PKCS8 key. */
function unprotect(encrypted: Buffer, secret: Buffer): Buffer {
  const body = octetsOf(encrypted);
  if (body.length < 2 * DIGEST_BYTES) throw new Error('its key is damaged');
  const hidden = body.subarray(DIGEST_BYTES, -DIGEST_BYTES);
  const key = Buffer.alloc(hidden.length);
  let pad = body.subarray(0, DIGEST_BYTES);
  for (const [at, byte] of hidden.entries()) {
    if (at % DIGEST_BYTES === 0) pad = sha1(secret, pad);
    key[at] = byte ^ (pad[at % DIGEST_BYTES] ?? 0);
  }
  if (!matches(sha1(secret, key), body.subarray(-DIGEST_BYTES))) throw new Error('its key has another password than the store');
  return key;
}

/** The octet string of an EncryptedPrivateKeyInfo: SEQUENCE { SEQUENCE algorithm, OCTET STRING }. */
function octetsOf(der: Buffer): Buffer {
  const info = new Reader(new Reader(der).element(0x30));
  info.element(0x30);
  return info.element(0x04);
}

function sha1(...parts: readonly Buffer[]): Buffer {
  // nosemgrep: no-weak-hash -- the format's own digest: it guards nothing that its password doesn't
  const hash = createHash('sha1');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function matches(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

class Reader {
  #at = 0;

  constructor(private readonly content: Buffer) {}

  u32(): number {
    return this.bytes(4).readUInt32BE();
  }

  text(): string {
    return this.bytes(this.bytes(2).readUInt16BE()).toString();
  }

  bytes(count: number): Buffer {
    const from = this.#at;
    if (count > this.content.length - from) throw new Error('it is cut short');
    this.#at += count;
    return this.content.subarray(from, this.#at);
  }

  /** The content of the DER element that comes next, which must have this tag. */
  element(tag: number): Buffer {
    if (this.bytes(1)[0] !== tag) throw new Error('its key is damaged');
    const first = this.bytes(1)[0] ?? 0;
    return this.bytes(first < 0x80 ? first : this.bytes(first & 0x7f).reduce((length, byte) => length * 256 + byte, 0));
  }
}
