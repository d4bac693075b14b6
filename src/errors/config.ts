import { defineError } from './sconce-error.js';

/** One line: the key, its value and what is allowed. The server does not start. */
export const ConfigInvalid = defineError<{ message: string }>('CONFIG_INVALID', {
  kind: 'invalid',
  says: ({ message }) => `Invalid configuration: ${message}`,
});
/** A listener's address is taken, forbidden or unknown to this machine. The server does not start. */
export const BindFailed = defineError<{ address: string; why: string }>('BIND_FAILED', {
  kind: 'invalid',
  says: ({ address, why }) => `Failed to bind to address: ${address} (${why})`,
});
