import { defineError } from './sconce-error.js';

/** A protection that was asked for cannot be given here, and the level is `strict`. The server does not start. */
export const ProtectionMissing = defineError<{ name: string; says: string }>('PROTECTION_MISSING', {
  kind: 'forbidden',
  says: ({ name, says }) => `sconce_security=strict, and ${name} does not hold: ${says}`,
});
