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
export const TokenRefused = defineError('TOKEN_REFUSED', {
  kind: 'unauthenticated',
  says: () => 'Token Authorization failed. Token either incorrect, expired, or not provided correctly',
});
export const TokenRotationRefused = defineError('TOKEN_ROTATION_REFUSED', {
  kind: 'unauthenticated',
  says: () => 'Token Authentication failed. Token either incorrect, expired, or not provided correctly',
});
/** The folder of the key file is missing, full or not ours to write. */
export const KeyFileNotWritten = defineError<{ path: string; why: string }>('KEY_FILE_NOT_WRITTEN', {
  kind: 'bug',
  says: ({ path, why }) => `The key file ${path} could not be written: ${why}`,
});
/** A fault of ours. The stack goes to the log; the client learns only the request id. */
export const Invariant = defineError<{ what: string }>('INVARIANT', { kind: 'bug', says: ({ what }) => `Internal error: ${what}` });
