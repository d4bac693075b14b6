import { defineError } from './sconce-error.js';

/** A model or workflow whose signature does not make it trusted, where the policy asks for one. `word` is the stable end of `x-sconce-reason`. */
export const SignatureRefused = defineError<{ url: string; word: string; why: string }>('SIGNATURE_REFUSED', {
  kind: 'forbidden',
  type: 'InvalidModelException',
  http: ({ word }) => (word === 'too_large' ? 413 : 403),
  reason: ({ word }) => `signature_${word}`,
  says: ({ url, why }) => `${url} is refused by its signature: ${why}`,
});
/** `sconce sign` or `sconce keygen` makes nothing: what it was given is not there, is of the wrong kind, or does not fit together. */
export const SigningRefused = defineError<{ message: string }>('SIGNING_REFUSED', { kind: 'invalid', says: ({ message }) => message });
