import { z } from 'zod';
import { NotAuthentic } from './not-authentic.js';

/** A signature longer than this is not read: 100 000 files, each with a long name, take half of it. */
export const MAX_BUNDLE_BYTES = 64 * 2 ** 20;
export const MEDIA_TYPE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** What a signature names its signer by. None of it is trusted yet. */
type Material =
  | { readonly kind: 'key'; readonly hint: string | undefined }
  /** DER, the signer's own first. */
  | { readonly kind: 'certificates'; readonly chain: readonly Buffer[] }
  /** Keyless: with entries of a transparency log. */
  | { readonly kind: 'sigstore' };

/** A signature file, read and not yet checked. */
export interface Bundle {
  readonly payload: Buffer;
  readonly signature: Buffer;
  readonly material: Material;
  /** The whole document. */
  readonly json: unknown;
}

/** Node drops what is no base64 without a word: only text that is exactly what its bytes encode to counts. */
const base64 = z.string().transform((text, context) => {
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length > 0 && bytes.toString('base64') === text) return bytes;
  context.addIssue({ code: 'custom', message: 'no base64' });
  return z.NEVER;
});
const certificate = z.strictObject({ rawBytes: base64 });
const document = z.strictObject({
  mediaType: z.literal(MEDIA_TYPE),
  verificationMaterial: z.strictObject({
    publicKey: z.strictObject({ hint: z.string().nullish() }).optional(),
    x509CertificateChain: z.strictObject({ certificates: z.array(certificate).min(1).max(16) }).optional(),
    certificate: certificate.optional(),
    tlogEntries: z.array(z.unknown()).max(16).nullish(),
    timestampVerificationData: z.unknown().optional(),
  }),
  dsseEnvelope: z.strictObject({
    payload: base64,
    payloadType: z.literal(PAYLOAD_TYPE),
    signatures: z.tuple([z.strictObject({ sig: base64, keyid: z.literal('').nullish() })]),
  }),
});

/** Reads a signature file: JSON of a Sigstore bundle with a DSSE envelope and exactly one signature. What it does not know it refuses. Throws NotAuthentic. */
export function parseBundle(bytes: Uint8Array): Bundle {
  if (bytes.length > MAX_BUNDLE_BYTES) throw new NotAuthentic('too_large', `it is longer than ${MAX_BUNDLE_BYTES} bytes`);
  const json = parseJson(bytes);
  const parsed = document.safeParse(json);
  if (!parsed.success) throw new NotAuthentic('unreadable', `it is no signature in the format of OpenSSF Model Signing (${firstIssue(parsed.error)})`);
  const { verificationMaterial, dsseEnvelope } = parsed.data;
  const [{ sig }] = dsseEnvelope.signatures;
  return { payload: dsseEnvelope.payload, signature: sig, material: materialOf(verificationMaterial), json };
}

function materialOf({ publicKey, x509CertificateChain: chain, certificate: alone, tlogEntries }: z.output<typeof document>['verificationMaterial']): Material {
  const given = [publicKey, chain, alone].filter((one) => one !== undefined);
  if (given.length !== 1) throw new NotAuthentic('unreadable', 'it names not one signer');
  const isLogged = (tlogEntries ?? []).length > 0;
  if (publicKey !== undefined) {
    if (isLogged) throw new NotAuthentic('unreadable', 'it names a key and a log');
    return { kind: 'key', hint: publicKey.hint || undefined };
  }
  if (isLogged) return { kind: 'sigstore' };
  return { kind: 'certificates', chain: (chain?.certificates ?? (alone === undefined ? [] : [alone])).map(({ rawBytes }) => rawBytes) };
}

/** Bytes that are not UTF-8 would be read as others. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    throw new NotAuthentic('unreadable', 'it is no JSON', { cause: error });
  }
}

export function firstIssue({ issues }: z.ZodError): string {
  const [issue] = issues;
  return issue === undefined ? 'unknown' : `${issue.path.join('.') || 'document'}: ${issue.message}`.slice(0, 200);
}
