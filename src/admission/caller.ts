import type { Principal } from '../inference/principal.js';

/** Who asks, from where, in which request: what a decision needs to know of a call, and the audit of it. */
export interface Caller {
  /** The id of the request. */
  readonly id: string;
  /** `/127.0.0.1:53514`, or the path of a Unix socket: the other end of the connection, whatever headers say. */
  readonly peer: string;
  readonly principal: Principal;
}

/** What a caller shows to prove who it is. */
export interface Credentials {
  readonly id: string;
  readonly peer: string;
  /** The same for all that one connection carries. */
  readonly connection?: object | undefined;
  /** Every value of the header `authorization`: more than one proves nothing. */
  readonly authorization: readonly string[];
  /** The name in a client certificate that the listener has verified. */
  readonly tlsPrincipal?: string | undefined;
}
