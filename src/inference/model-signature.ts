/** What the server found out of who vouches for a model, where it looks at signatures at all. */
export interface ModelSignature {
  /** `verified`: by a trusted signer. `pinned`: by its digest in the trust policy. `permitted`: unsigned, as the policy allows for it. `unverified`: served with a warning. */
  readonly state: 'verified' | 'pinned' | 'permitted' | 'unverified';
  /** Name of the signer in the trust policy. */
  readonly signer: string | undefined;
  /** The name in the signer's certificate. */
  readonly identity: string | undefined;
  /** What the signer called the model. */
  readonly subject: string | undefined;
  /** SHA-256, hex: of an archive or a lone file its bytes; of a folder over its files. */
  readonly sha256: string | undefined;
  /** Why it is not verified. */
  readonly why: string | undefined;
}
