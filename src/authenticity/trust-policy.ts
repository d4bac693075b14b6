/** How a signer is known. Texts, since they go to threads as they are. */
export type Means =
  /** PEM of a public key. */
  | { readonly kind: 'key'; readonly pem: string }
  /** PEM of each root, and patterns of the names that certificates must have: `email:*@example.org`. */
  | { readonly kind: 'certificates'; readonly roots: readonly string[]; readonly names: readonly string[]; readonly acceptExpired: boolean }
  /** JSON of trusted_root.json, and who may have signed. */
  | { readonly kind: 'sigstore'; readonly trustedRoot: string; readonly identities: readonly { readonly name: string; readonly issuer: string }[] }
  /** Nobody's signature: the pinned digests alone. */
  | { readonly kind: 'pin' };

/** Whom the operator trusts, and with what. */
export interface TrustedSigner {
  readonly name: string;
  readonly means: Means;
  /** Patterns of the names that models may be served under. */
  readonly models: readonly string[];
  /** Patterns of what the signer may have called the model; undefined: as it is served. */
  readonly subjects: readonly string[] | undefined;
  /** By pattern of the model's name: older versions are refused. */
  readonly minimumVersions: readonly (readonly [pattern: string, version: string])[];
  /** SHA-256 of whole models: nothing else by this signer. Empty: anything. */
  readonly pins: readonly string[];
}

export interface TrustPolicy {
  /** Where it stands, for messages. */
  readonly file: string;
  readonly signers: readonly TrustedSigner[];
  /** Patterns of the names of models that need no signature. */
  readonly unsigned: readonly string[];
}
