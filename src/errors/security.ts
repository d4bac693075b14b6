import { defineError } from './sconce-error.js';

/** A protection that was asked for cannot be given here, and the level is `strict`. The server does not start. */
export const ProtectionMissing = defineError<{ name: string; says: string }>('PROTECTION_MISSING', {
  kind: 'forbidden',
  says: ({ name, says }) => `sconce_security=strict, and ${name} does not hold: ${says}`,
});
/** A listener that others can reach, without what would tell friend from foe. The server does not start. */
export const PublicAddressRefused = defineError<{ doors: string }>('PUBLIC_ADDRESS_REFUSED', {
  kind: 'forbidden',
  says: ({ doors }) => `Refusing to listen beyond this machine: ${doors}. Set sconce_allow_public_address=true to serve so all the same.`,
});
/** No Host, several of them, or one that is none. */
export const HostMalformed = defineError('HOST_MALFORMED', {
  kind: 'invalid',
  says: () => 'A request names its host once, as name or address with an optional port.',
});
/** The name that the client asked for isn't one of this server's: a web page that has its own name point here (DNS rebinding), or a proxy that hands its own on. */
export const HostRefused = defineError<{ key: string }>('HOST_REFUSED', {
  kind: 'invalid',
  http: 421,
  says: ({ key }) => `This server does not answer to the host name of the request; ${key} lists further ones.`,
});
/** A web page of another origin sent the request. */
export const OriginRefused = defineError('ORIGIN_REFUSED', {
  kind: 'forbidden',
  says: () => 'The request comes from a web page of another origin; cors_allowed_origin permits one.',
});
