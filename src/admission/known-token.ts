import { timingSafeEqual } from 'node:crypto';
import type { Principal } from '../inference/principal.js';

/** A token that opens something, as the server knows it. */
export interface KnownToken {
  /** SHA-256 of the secret. */
  readonly digest: Buffer;
  readonly principal: Principal;
  /** Epoch ms; undefined: never. */
  readonly expiresAtMs: number | undefined;
}

/** The token with this digest. All are compared, each in the time of any other: how long it takes tells nothing of how near a guess was. */
export function findToken(lists: readonly (readonly KnownToken[])[], digest: Buffer): KnownToken | undefined {
  let found: KnownToken | undefined;
  for (const list of lists) for (const known of list) if (timingSafeEqual(known.digest, digest)) found = known;
  return found;
}
