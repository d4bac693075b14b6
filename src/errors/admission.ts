import { defineError } from './sconce-error.js';

export const ResourceNotFound = defineError('RESOURCE_NOT_FOUND', {
  kind: 'not-found',
  says: () => 'Requested resource is not found, please refer to API document.',
});
export const MethodNotAllowed = defineError('METHOD_NOT_ALLOWED', {
  kind: 'not-allowed',
  says: () => 'Requested method is not allowed, please refer to API document.',
});
/** A body in a coding beside or instead of chunks. */
export const TransferCodingUnknown = defineError('TRANSFER_CODING_UNKNOWN', {
  kind: 'unsupported',
  type: 'BadRequestException',
  says: () => 'Invalid HTTP message.',
});
export const BadRequest = defineError<{ message: string }>('BAD_REQUEST', { kind: 'invalid', says: ({ message }) => message });
/** TorchServe's IllegalArgumentException family: HTTP 403. */
export const IllegalArgument = defineError<{ message: string }>('ILLEGAL_ARGUMENT', { kind: 'forbidden', says: ({ message }) => message });
/** Headers or body that took longer to arrive than the listener allows. */
export const RequestTooSlow = defineError('REQUEST_TOO_SLOW', { kind: 'timed-out', says: () => 'The request was not received in time.' });
/** A form body that cannot be taken apart. TorchServe answers 500 with its decoder's class name; clients match on it. */
export const FormMalformed = defineError<{ message: string }>('FORM_MALFORMED', {
  kind: 'bug',
  type: 'ErrorDataDecoderException',
  says: ({ message }) => message,
});
/** A body that should be JSON and is not, on the management API. TorchServe answers 500 with this type. */
export const JsonMalformed = defineError<{ message: string }>('JSON_MALFORMED', { kind: 'bug', type: 'JsonSyntaxException', says: ({ message }) => message });
/** TorchServe answers 400. 401 and 403 are for those who set `sconce_auth_status`. */
interface RefusedAs {
  readonly status?: 400 | 401 | 403;
}
const asRefused = {
  kind: 'unauthenticated',
  http: ({ status = 400 }: RefusedAs) => status,
  grpc: ({ status }: RefusedAs) => (status === 401 ? 16 : 7),
} as const;
export const TokenRefused = defineError<RefusedAs>('TOKEN_REFUSED', {
  ...asRefused,
  says: () => 'Token Authorization failed. Token either incorrect, expired, or not provided correctly',
});
export const TokenRotationRefused = defineError<RefusedAs>('TOKEN_ROTATION_REFUSED', {
  ...asRefused,
  says: () => 'Token Authentication failed. Token either incorrect, expired, or not provided correctly',
});
/** Many wrong tokens from one address, or from all of them together. A valid one is never told this. */
export const TooManyGuesses = defineError<{ waitS: number }>('TOO_MANY_GUESSES', {
  kind: 'throttled',
  says: ({ waitS }) => `Too many wrong tokens. Try again in ${waitS} s with a valid one.`,
  retryAfterS: ({ waitS }) => waitS,
});
/** A token for some models only has to say which one it means to register, in words that its patterns permit. */
export const NameNotGranted = defineError<{ parameter: string; patterns: readonly string[] }>('NAME_NOT_GRANTED', {
  kind: 'forbidden',
  says: ({ parameter, patterns }) => `This token may register ${patterns.join(', ')} only: ${parameter} has to be given and fit.`,
});
/** The folder of the key file is missing, full or not ours to write. */
export const KeyFileNotWritten = defineError<{ path: string; why: string }>('KEY_FILE_NOT_WRITTEN', {
  kind: 'bug',
  says: ({ path, why }) => `The key file ${path} could not be written: ${why}`,
});
/** A tokens file that is broken, or that others could write. */
export const TokensFileUnusable = defineError<{ path: string; why: string }>('TOKENS_FILE_UNUSABLE', {
  kind: 'bug',
  says: ({ path, why }) => `The tokens file ${path} cannot be used: ${why}`,
});
/** The server does not start without its audit, unless it is told to. */
export const AuditLogUnusable = defineError<{ path: string; why: string }>('AUDIT_LOG_UNUSABLE', {
  kind: 'bug',
  says: ({ path, why }) => `The audit log ${path} cannot be written (${why}); sconce_audit_log=off serves without`,
});
/** A fault of ours. The stack goes to the log; the client learns only the request id. */
export const Invariant = defineError<{ what: string }>('INVARIANT', { kind: 'bug', says: ({ what }) => `Internal error: ${what}` });
