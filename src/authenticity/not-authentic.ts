/** Why a signature does not make a model trusted; the word is stable. */
export type RefusalWord =
  /** There is no signature. */
  | 'missing'
  /** The file is no signature that this server reads. */
  | 'unreadable'
  /** Longer than any signature of an archive that would be admitted. */
  | 'too_large'
  /** Made before the format's version 1.0. */
  | 'outdated'
  /** The signature is not one of these bytes by that key. */
  | 'invalid'
  /** A good signature, or perhaps one, by nobody whom the trust policy names. */
  | 'untrusted'
  /** What is signed is not what is there. */
  | 'mismatch'
  /** A good signature of another model. */
  | 'other_model'
  /** A good signature of a version that the trust policy no longer takes. */
  | 'old_version'
  /** There is no saying what is verified: it could change between the check and its use. */
  | 'unsafe';

/** Thrown while a signature is checked. `message` says what is wrong, for a person. */
export class NotAuthentic extends Error {
  constructor(
    readonly word: RefusalWord,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
