import { createHash, type KeyObject } from 'node:crypto';
import { MEDIA_TYPE, PAYLOAD_TYPE } from './bundle.js';
import { hintOf, signBytes } from './ec-key.js';
import { signedBytes } from './signed-by.js';
import { PREDICATE_TYPE, STATEMENT_TYPE } from './statement.js';
import { inCodePoints } from './tree-files.js';

/** A signer's private key, and the certificate chain that names it: DER, its own first. Empty: known by the key alone. */
export interface Credentials {
  readonly key: KeyObject;
  readonly chain: readonly Buffer[];
}

export interface SigningWish {
  /** `name@version` */
  readonly subject: string;
  /** Hex SHA-256 by path; SINGLE_FILE for a file alone. */
  readonly files: ReadonlyMap<string, string>;
  /** What lies among the files and can't be signed: the signature itself. */
  readonly ignored: readonly string[];
  /** Of the archive that the signature will lie in. */
  readonly seal?: string | undefined;
}

/** Signs a model in the format of OpenSSF Model Signing 1.0, and gives the signature's file. Throws NotAuthentic for a key that the format does not take. */
export function signModel({ subject, files, ignored, seal }: SigningWish, { key, chain }: Credentials): Buffer {
  const sorted = [...files].sort(([a], [b]) => inCodePoints(a, b));
  const root = createHash('sha256');
  for (const [, digest] of sorted) root.update(Buffer.from(digest, 'hex'));
  const payload = Buffer.from(
    JSON.stringify({
      _type: STATEMENT_TYPE,
      subject: [{ name: subject, digest: { sha256: root.digest('hex') } }],
      predicateType: PREDICATE_TYPE,
      predicate: {
        serialization: { method: 'files', hash_type: 'sha256', allow_symlinks: false, ...(ignored.length === 0 ? {} : { ignore_paths: ignored }) },
        resources: sorted.map(([name, digest]) => ({ name, algorithm: 'sha256', digest })),
        ...(seal === undefined ? {} : { sconce: { archive: seal } }),
      },
    }),
  );
  const certificates = chain.map((der) => ({ rawBytes: der.toString('base64') }));
  const signer = chain.length === 0 ? { publicKey: { hint: hintOf(key) } } : { x509CertificateChain: { certificates } };
  const bundle = {
    mediaType: MEDIA_TYPE,
    verificationMaterial: { ...signer, tlogEntries: [] },
    dsseEnvelope: {
      payload: payload.toString('base64'),
      payloadType: PAYLOAD_TYPE,
      signatures: [{ sig: signBytes(signedBytes({ payload }), key).toString('base64'), keyid: '' }],
    },
  };
  return Buffer.from(JSON.stringify(bundle));
}
