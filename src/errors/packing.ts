import { defineError } from './sconce-error.js';

/** `sconce pack` makes no archive: what it was given is not there, contradicts itself, or does not run. Lines for the user, the cure last. */
export const PackRefused = defineError<{ message: string }>('PACK_REFUSED', { kind: 'invalid', says: ({ message }) => message });
